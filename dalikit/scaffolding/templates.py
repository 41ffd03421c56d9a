"""Templates of packages, found and filled in."""

import ast
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template

from dalikit.assembly.registry import Registry
from dalikit.errors import PluginError, UserError, nearest
from dalikit.interfaces import Kind

MODULE, TEST, COMMANDS = "module.py", "test_module.py", "commands.txt"
"""What a kind's template consists of; the files themselves end in .txt, for they are no Python yet."""


def known_kinds(registry: Registry) -> list[str]:
    """The kinds of which there is a template."""
    return sorted(name for name, kind in registry.kinds.items() if _folder(kind) is not None)


def template_of(name: str, registry: Registry) -> Traversable:
    """The folder of a kind's template.

    Raises:
        UserError: there is no such kind, or no template of it.
        PluginError: its template is not where its kind says.
    """
    kind = registry.kinds.get(name)
    known = known_kinds(registry)
    if kind is None:
        raise UserError(
            f"Unknown kind '{name}'.{nearest(name, known)} There are templates of: {', '.join(known)}"
        )
    folder = _folder(kind)
    if folder is None:
        raise UserError(
            f"There is no template of a {name}; docs/extending.md shows one. There are templates of: "
            f"{', '.join(known)}"
        )
    missing = [part for part in (MODULE, TEST, COMMANDS) if not _file(folder, part).is_file()]
    if missing:
        raise PluginError(
            f"The template of kind '{name}', {kind.template}, has no {' and no '.join(missing)}"
        )
    return folder


def common() -> Traversable:
    """The folder of what every package has."""
    return files("dalikit.scaffolding") / "templates" / "common"


def filled(folder: Traversable, name: str, words: Mapping[str, str]) -> str:
    """A file of a template with its words put in.

    Raises:
        PluginError: it has a word that nobody knows.
    """
    text = _file(folder, name).read_text(encoding="utf-8")
    try:
        return Template(text).substitute(words)
    except (KeyError, ValueError) as error:
        raise PluginError(f"The template {folder}/{name} has a word that nobody knows: {error}") from None


def bound(source: str) -> set[str]:
    """The names that a module has by its imports and its own functions and variables, but for classes."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def summary(source: str) -> str:
    """What a module says of itself in its docstring's first sentence, quotes and backslashes left out."""
    text = " ".join((ast.get_docstring(ast.parse(source)) or "").partition("\n\n")[0].split())
    return text.replace('"', "'").replace("\\", "")


def _folder(kind: Kind) -> Traversable | None:
    """Where a kind's template lies, or would."""
    if kind.template:
        package, _, folder = kind.template.partition(":")
        try:
            return files(package).joinpath(folder)
        except (ImportError, TypeError) as error:
            raise PluginError(
                f"The template of kind '{kind.name}' is to lie in '{kind.template}', a package's folder: "
                f"{error}"
            ) from None
    own = files("dalikit.scaffolding") / "templates" / kind.name
    return own if own.is_dir() else None


def _file(folder: Traversable, name: str) -> Traversable:
    return folder / (name if name.endswith(".txt") else f"{name}.txt")
