"""The package itself: checked, filled in and written, whole or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from dalikit.assembly.registry import Registry
from dalikit.errors import UserError
from dalikit.files import whole_folder_or_not, write_text
from dalikit.hookspecs import API_VERSION
from dalikit.runs.config import NETWORKS
from dalikit.runs.files import unwritable
from dalikit.scaffolding.names import Names
from dalikit.scaffolding.templates import COMMANDS, MODULE, TEST, bound, common, filled, summary, template_of


@dataclass(frozen=True)
class NewPackage:
    """What was written.

    Attributes:
        folder: where.
        files: their places in it.
        names: what is called how.
        commands: what its README has users try.
    """

    folder: Path
    files: tuple[str, ...]
    names: Names
    commands: tuple[str, ...]


def new_package(name: str, kind: str, registry: Registry, out: Path | None = None) -> NewPackage:
    """Write a package with one component, which works as it is.

    Args:
        name: of the distribution, e.g. `dalikit-hello`.
        kind: of the component; its template is what it is made of.
        registry: which kinds and which components there are.
        out: the folder, one called `name` in the current folder unless given.

    Raises:
        UserError: the name or the kind cannot be used, or something is in the folder; nothing was written.
    """
    names, folder = Names.of(name), out or Path(name)
    template = template_of(kind, registry)
    _check_new(names, kind, registry)
    check_free(folder)
    words = {**vars(names), "kind": kind, "version": version("dalikit"), "api": str(API_VERSION)}
    module = filled(template, MODULE, words)
    if names.cls in bound(module):
        raise UserError(
            f"'{name}' would give the class '{names.cls}', and the module has that name: choose another"
        )
    commands = filled(template, COMMANDS, words)
    words |= {"summary": summary(module), "commands": commands.rstrip("\n")}
    content = {
        "README.md": filled(common(), "README.md", words),
        f"{names.module}.py": module,
        "pyproject.toml": filled(common(), "pyproject.toml", words),
        f"tests/test_{names.module}.py": filled(template, TEST, words),
    }
    try:
        with whole_folder_or_not(folder) as unfinished:
            for place, text in content.items():
                write_text(unfinished / place, text)
    except OSError as error:
        raise unwritable(folder, error) from None
    return NewPackage(folder, tuple(content), names, tuple(commands.splitlines()))


def check_free(folder: Path) -> None:
    """Raise `UserError` where something is in the folder, or in its place."""
    try:
        taken = folder.is_symlink() or (any(folder.iterdir()) if folder.is_dir() else folder.exists())
    except OSError as error:
        raise unwritable(folder, error) from None
    if taken:
        raise UserError(f"{folder} is there already: --out names another folder, and nothing is written over")


def _check_new(names: Names, kind: str, registry: Registry) -> None:
    """Raise `UserError` where a component is called so already, and both would be refused or ambiguous."""
    kinds: Sequence[str] = (kind, *NETWORKS) if kind == "backbone" else (kind,)
    for each in kinds:
        if registry.has(each, names.component):
            found = registry.row(each, names.component)
            raise UserError(
                f"There is a {each} '{names.component}' already, of {found.source}: choose another name"
            )
