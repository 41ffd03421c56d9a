"""What a package, its module, its component and its class are called, by the one name that is given."""

import keyword
import re
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder

from dalikit.assembly.selection import canonical
from dalikit.errors import UserError, shortened

DISTRIBUTION = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE)
"""A name of a distribution, as PEP 508 has it."""

PREFIX = "dalikit-"
"""With which names of packages may begin, and those of their components do not."""

LONGEST = 40
"""The most letters of a name: lines of code are made of it."""


@dataclass(frozen=True)
class Names:
    """What is called how.

    Attributes:
        package: the distribution, and its folder.
        module: what is imported.
        component: what users call it.
        cls: its class.
    """

    package: str
    module: str
    component: str
    cls: str

    @classmethod
    def of(cls, name: str) -> "Names":
        """The names that follow from a distribution's.

        Raises:
            UserError: it is no such name, or none of a module or a class can be made of it.

        Examples:
            >>> found = Names.of("dalikit-soft-squares")
            >>> found.module, found.component, found.cls
            ('dalikit_soft_squares', 'soft-squares', 'SoftSquares')
        """
        if not DISTRIBUTION.fullmatch(name) or len(name) > LONGEST:
            raise UserError(
                f"A package cannot be called '{shortened(name)}': letters, digits and - _ . between them, "
                f"{LONGEST} at most, e.g. dalikit-hello"
            )
        plain = canonical(name)
        component = plain.removeprefix(PREFIX)
        found = cls(name, plain.replace("-", "_"), component, _joined(component))
        for what, word in (("module", found.module), ("class", found.cls)):
            if not word.isidentifier() or keyword.iskeyword(word):
                raise UserError(
                    f"'{name}' would give the {what} '{word}', which is no name in Python: choose another"
                )
        found.check_free()
        return found

    def check_free(self) -> None:
        """Raise `UserError` where the module would hide another, or be hidden by it."""
        if self.module in sys.stdlib_module_names or self.module in sys.modules or _is_there(self.module):
            own = canonical(self.package) == self.component
            other = f"{PREFIX}{self.component}" if own else f"{self.package}-2"
            raise UserError(
                f"There is a module '{self.module}' already, which this package would hide: choose another "
                f"name, e.g. {other}"
            )


def _joined(component: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in component.split("-"))


def _is_there(module: str) -> bool:
    """Whether it is installed; a folder of that name, which may be an earlier try, is no module."""
    found = PathFinder.find_spec(module)
    return found is not None and found.origin is not None
