"""Names of components as their source has them: what a shell completes by, and for which no torch is loaded.

A name is found where it is written down: as a class's `name = "…"`, as the first argument of `Recipe(…)`,
`Backbone(…)` or `Study(…)`, or of a function that is said to return one, and in `replace(…, name="…")`. A
name that a program makes is not found, and works all the same.
"""

import ast
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

FOLDERS = {
    "augmentations": "augmentation",
    "callbacks": "callback",
    "datasets": "dataset",
    "games": "game",
    "methods": "method",
    "metrics": "metric",
    "optimizers": "optimizer",
    "posteriors": "posterior",
    "rules": "rules",
}
"""dalikit's folders of classes, and the kinds of what lies in them."""

BASES = {
    "AdversarialGame": "game",
    "Augmentation": "augmentation",
    "Callback": "callback",
    "Dataset": "dataset",
    "Method": "method",
    "Metric": "metric",
    "Optimizer": "optimizer",
    "Posterior": "posterior",
    "Rules": "rules",
}
"""The contract's base classes, and the kinds of what derives from them."""

OBJECTS = {"Backbone": "backbone", "Recipe": "recipe", "Study": "study"}


def names(kind: str) -> list[str]:
    """The names of a kind's components that installed plugins offer, sorted."""
    found = {name for point in entry_points(group="dalikit") for name in _offered(point, kind)}
    return sorted(found)


def _offered(point: EntryPoint, kind: str) -> Iterator[str]:
    for file in _files(point):
        folder = FOLDERS.get(file.parent.name)
        if folder not in (None, kind):
            continue
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError):  # which `dalikit plugins` tells of
            continue
        yield from (name for found, name in _named(tree, folder) if found == kind)


def _files(point: EntryPoint) -> list[Path]:
    """The source of an entry point's module, with all below it where it is a package."""
    first, *rest = point.module.split(".")
    try:
        spec = find_spec(first)  # a part of it would have its package imported
    except (ImportError, ValueError):
        return []
    if spec is None or spec.origin is None:
        return []
    place = Path(spec.origin)
    if rest:
        inner = place.parent.joinpath(*rest)
        place = inner / "__init__.py" if inner.is_dir() else inner.with_suffix(".py")
    return sorted(place.parent.rglob("*.py")) if place.name == "__init__.py" else [place]


def _named(tree: ast.Module, folder: str | None) -> Iterator[tuple[str | None, str]]:
    """Kinds and names in a file; of a class whose bases say no kind it is that of its folder."""
    constants = dict(_constants(tree))
    makers = dict(OBJECTS)
    for line in tree.body:
        if isinstance(line, ast.FunctionDef) and (kind := OBJECTS.get(_word(line.returns))):
            makers[line.name] = kind
    kinds: dict[str, str | None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = [_word(base) for base in node.bases]
            known = [BASES.get(base) or kinds.get(base) for base in bases]
            kinds[node.name] = next((kind for kind in known if kind), folder)
            yield from ((kinds[node.name], name) for name in _class_names(node))
        elif isinstance(node, ast.Call):
            yield from _made(node, makers, constants)


def _constants(tree: ast.Module) -> Iterator[tuple[str, object]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield from ((_word(target), node.value.value) for target in node.targets)


def _class_names(node: ast.ClassDef) -> Iterator[str]:
    for line in node.body:
        if (
            isinstance(line, ast.Assign)
            and isinstance(line.value, ast.Constant)
            and isinstance(line.value.value, str)
            and any(_word(target) == "name" for target in line.targets)
        ):
            yield line.value.value


def _made(
    node: ast.Call, makers: Mapping[str, str], constants: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    maker = _word(node.func)
    if maker in makers and node.args:
        first = node.args[0]
        value = first.value if isinstance(first, ast.Constant) else constants.get(_word(first))
        if isinstance(value, str):
            yield makers[maker], value
    elif maker == "replace":
        for given in node.keywords:
            if given.arg == "name" and isinstance(given.value, ast.Constant):
                yield "study", str(given.value.value)


def _word(node: ast.expr | None) -> str:
    """The last part of a name."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
