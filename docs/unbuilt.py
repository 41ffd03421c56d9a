"""What pages of these docs have from the code, so that they can be read unbuilt.

    python docs/unbuilt.py          # writes it anew, after docstrings or the tutorial's package have changed

Between `<!-- api MODULE -->` and `<!-- end -->` stand a module's public names with their signatures and what
they say of themselves; the built site has mkdocstrings' pages in their place (`on_page_markdown`). Between
`<!-- file PATH -->` and `<!-- end -->` stands a file, and between `<!-- members MODULE.CLASS -->` and
`<!-- end -->` a table of what a class has. Tests hold all of it against the code.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("api.md", "extending.md", "tutorial.md")
LANGUAGES = {".py": "python", ".toml": "toml"}

SECTION = re.compile(
    r"^<!-- (?P<what>api|file|members) (?P<where>\S+?)(?:: (?P<names>[^>]*?))? -->\n"
    r"(?P<body>.*?)^<!-- end -->\n",
    flags=re.MULTILINE | re.DOTALL,
)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """mkdocs' hook: what is listed from the code gives way to mkdocstrings' own."""

    def directive(found: re.Match[str]) -> str:
        if found["what"] != "api":
            return found["body"]
        names = f"    options:\n      members: [{found['names']}]\n" if found["names"] else ""
        return f"::: {found['where']}\n{names}"

    return SECTION.sub(directive, markdown)


def written(text: str) -> str:
    """A page with all its sections as the code has them now."""
    makers = {"api": _api, "file": _file, "members": _members}

    def section(found: re.Match[str]) -> str:
        names = [name.strip() for name in (found["names"] or "").split(",") if name.strip()]
        head = found[0].partition("\n")[0]
        body = "\n".join(makers[found["what"]](found["where"], names))
        return f"{head}\n\n{body}\n\n<!-- end -->\n"

    return SECTION.sub(section, text)


def _file(where: str, _: list[str]) -> Iterator[str]:
    path = ROOT / where
    yield f"```{LANGUAGES[path.suffix]}"
    yield path.read_text(encoding="utf-8").rstrip("\n")
    yield "```"


def _api(module: str, names: list[str]) -> Iterator[str]:
    """A module's public names, in the order in which they stand; those of a package are of its files."""
    path = _path(module)
    yield f"`{module}` ([source]({_link(path)})): {_summary(_tree(path))}"
    yield ""
    for node in _public(module, names):
        yield from _entry(node)


def _entry(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef):
        yield f"- `{node.name}{_signature(node)}`: {_summary(node)}"
    elif isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        made = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        yield f"- class `{node.name}{f'({bases})' if bases else ''}`: {_summary(node)}"
        if made is not None:
            yield f"    - built as `{node.name}{_signature(made).partition(' -> ')[0]}`"
        for name, text in _attributes(node):
            yield f"    - `{name}`: {text}"
        for called, text in _methods(node):
            yield f"    - `{called}`: {text}"
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        (target,) = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield f"- `{ast.unparse(target)}`"


def _members(where: str, _: list[str]) -> Iterator[str]:
    """A table of what a class has: attributes, then methods."""
    module, _, name = where.rpartition(".")
    (node,) = _public(module, [name])
    assert isinstance(node, ast.ClassDef)
    yield f"| `{name}` | |"
    yield "|---|---|"
    for row in (*_attributes(node), *_methods(node)):
        yield "| `{}` | {} |".format(*(cell.replace("|", r"\|") for cell in row))


def _public(module: str, names: list[str]) -> Iterator[ast.stmt]:
    """The statements that define a module's public names; a package's are those that its `__all__` lists."""
    tree = _tree(_path(module))
    wanted = names or _all(tree)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dalikit") and wanted:
            taken = [alias.name for alias in node.names if alias.name in wanted]
            yield from _public(str(node.module), taken) if taken else ()
        named = [getattr(node, "name", "_")]
        if isinstance(node, ast.Assign) and wanted:
            named = [ast.unparse(target) for target in node.targets]
        if any(name in wanted if wanted else not name.startswith("_") for name in named):
            yield node


def _all(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def _attributes(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """What is said of attributes: in the docstring's section, or in the string behind one."""
    said = re.search(r"^Attributes:\n((?: {4}.*\n?|\n)*)", ast.get_docstring(node) or "", flags=re.MULTILINE)
    for entry in re.split(r"\n(?= {4}\S)", said.group(1)) if said else []:
        name, colon, text = " ".join(entry.split()).partition(": ")
        if colon:
            yield name, text
    for place, follower in zip(node.body, node.body[1:], strict=False):
        literal = isinstance(follower, ast.Expr) and isinstance(follower.value, ast.Constant)
        if isinstance(place, ast.AnnAssign) and literal:
            yield ast.unparse(place.target), " ".join(str(follower.value.value).split())


def _methods(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """How each public method is called, or a property had, and what it says of itself."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
            yield f"{method.name}{'' if _is_property(method) else _signature(method)}", _summary(method)


def _signature(node: ast.FunctionDef) -> str:
    arguments = ast.unparse(node.args)
    arguments = re.sub(r"^(?:self|cls)(?:, |$)", "", arguments)
    arguments = "" if arguments == "/" else re.sub(r"^/, ", "", arguments)
    return f"({arguments})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")


def _is_property(node: ast.FunctionDef) -> bool:
    return any(ast.unparse(each) in ("property", "cached_property") for each in node.decorator_list)


def _summary(node: ast.AST) -> str:
    text = ast.get_docstring(node) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) else None
    return " ".join((text or "").partition("\n\n")[0].split())


def _path(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _link(path: Path) -> str:
    return f"../{path.relative_to(ROOT).as_posix()}"


if __name__ == "__main__":
    for page in PAGES:
        place = ROOT / "docs" / page
        place.write_text(written(place.read_text(encoding="utf-8")), encoding="utf-8")
