"""The list that `dalikit plugins` prints: short where all is well, and what is broken stands out."""

import inspect
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dalikit.errors import UserError, nearest

if TYPE_CHECKING:
    from rich.table import Table

    from dalikit.assembly.registry import Row

OWN = "dalikit"


def of_kind(rows: Sequence["Row"], kind: str | None) -> list["Row"]:
    """The rows of a kind, and what is broken whatever its kind; all where none is named.

    Raises:
        UserError: there is no such kind.
    """
    known = sorted({row.kind for row in rows if row.kind != "plugin"})
    if kind is not None and kind not in known:
        raise UserError(f"--kind {kind}: there is none.{nearest(kind, known)} Kinds: {', '.join(known)}")
    return [row for row in rows if kind in (None, row.kind) or row.kind == "plugin"]


def summary(component: Any) -> str:
    """What a component is, in a line: its own description, or the first line of its docstring."""
    said = getattr(component, "description", None)
    if isinstance(said, str):
        return said
    words = (inspect.getdoc(component) or "").splitlines()
    return words[0] if words and component is not None else ""


def print_rows(rows: Sequence["Row"], kind: str | None) -> None:
    """Print the components' names by kind, or those of one `kind` with a line each, and what is broken."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    usable = [row for row in rows if row.state == "ok"]
    console.print(_by_kind(usable) if kind is None else _of_one(usable))
    broken = [row for row in rows if row.state != "ok"]
    for row in broken:
        what = (f"{row.state}: ", "bold red")
        console.print(
            Text.assemble(what, f"{row.kind} '{row.name}' of {row.source}: {row.detail}"), soft_wrap=True
        )
    if kind is None:
        packages = len({row.distribution for row in usable})
        well = "none is broken" if not broken else f"{len(broken)} cannot be used"
        console.print(
            f"{len(usable)} components of {packages} packages, {well}. --kind KIND says what each is."
        )


def _by_kind(rows: Iterable["Row"]) -> "Table":
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.kind, []).append(row.name + _source(row))
    return _columns((kind, ", ".join(own)) for kind, own in names.items())


def _of_one(rows: Iterable["Row"]) -> "Table":
    return _columns((row.name, summary(row.component) + _source(row)) for row in rows)


def _source(row: "Row") -> str:
    return "" if row.distribution == OWN else f" ({row.source})"


def _columns(pairs: Iterable[tuple[str, str]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid("name", "said", padding=(0, 2, 0, 0))
    grid.columns[0].no_wrap = True
    for name, said in pairs:
        grid.add_row(Text(name, "bold"), Text(said))
    return grid
