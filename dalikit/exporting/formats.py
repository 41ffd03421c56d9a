"""What a format of files is: how a part is written in it, and how that is run again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from dalikit.errors import UserError
from dalikit.exporting.parts import Part

Exported = Callable[..., Mapping[str, Tensor]]
"""What was written, to be run: the inputs of a part in, its outputs by name out."""


@dataclass(frozen=True)
class Format:
    """A format of exported files.

    Attributes:
        name: what it is called on the command line.
        title: what people call it.
        suffix: how its files end, each named as its part.
        save: writes a part into a folder; raises `RunError` where it cannot be had in this format.
        load: what was written in a folder for the part of a name.
        imports: lines that stand before `call`.
        call: lines of Python that read a part's file and run it on arrays named as its inputs, so that there
            are arrays named as its outputs.
        modules: what is imported for it and comes with the extra `export`.
    """

    name: str
    title: str
    suffix: str
    save: Callable[[Part, Path], None]
    load: Callable[[Path, str], Exported]
    imports: tuple[str, ...]
    call: Callable[[Part], list[str]]
    modules: tuple[str, ...] = ()

    def check_installed(self) -> None:
        """Raise `UserError` where a module that it needs is not installed."""
        if missing := [name for name in self.modules if find_spec(name) is None]:
            raise UserError(
                f"--format {self.name} needs {' and '.join(missing)}: pip install 'dalikit[export]'"
            )


def torch_call(part: Part) -> list[str]:
    """Lines that run a module called as its part, which takes and gives tensors."""
    given = ", ".join(f"torch.from_numpy({port.name})" for port in part.inputs)
    return [
        f"found = {part.name}({given})",
        *(f'{port.name} = found["{port.name}"].numpy()' for port in part.outputs),
    ]
