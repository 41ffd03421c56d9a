"""Tables and sentences as wide as the terminal: what is wider continues below, and nothing is cut off."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

TIED = ("best", "paper")
"""Columns that belong to the one before them."""


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", *, words: int = 1
) -> None:
    """Print a table; columns for which the terminal has no room stand below, beside the first one again.

    The first `words` columns are aligned to the left, the others, of figures, to the right.
    """
    from rich.console import Console

    console = Console(highlight=False)
    for chosen in _blocks(console, headings, rows):
        grid = _grid(headings, rows, [0, *chosen], title, console.width // 2, words)
        # A figure that is cut off is none: one column alone may be wider than the terminal.
        Console(highlight=False, width=max(console.width, _width(console, grid))).print(grid)


def print_lines(lines: Iterable[str]) -> None:
    """Print sentences: broken at spaces in a terminal, and elsewhere a line each, as searching wants it."""
    from rich.console import Console

    console = Console()
    for line in lines:
        if console.is_terminal:
            line = textwrap.fill(
                line, console.width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
            )
        print(line)


def _blocks(console: "Console", headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[int]]:
    """Indices of the columns but the first, in as few blocks as have room; what is tied stays together."""
    blocks: list[list[int]] = [[]]
    for group in _groups(headings):
        wider = _grid(headings, rows, [0, *blocks[-1], *group], "", console.width // 2)
        if blocks[-1] and _width(console, wider) > console.width:
            blocks.append([])
        blocks[-1] += group
    return blocks


def _groups(headings: Sequence[str]) -> list[list[int]]:
    groups: list[list[int]] = []
    for i, heading in enumerate(headings[1:], 1):
        if heading in TIED and groups:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _grid(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    columns: Sequence[int],
    title: str,
    widest: int,
    words: int = 1,
) -> "Table":
    from rich import box
    from rich.table import Column, Table
    from rich.text import Text

    grid = Table(
        Column(headings[0], max_width=widest, overflow="fold"),
        *(Column(headings[i], no_wrap=True, justify="left" if i < words else "right") for i in columns[1:]),
        title=title or None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for row in rows:
        grid.add_row(*(Text(row[i]) for i in columns))
    return grid


def _width(console: "Console", grid: "Table") -> int:
    """How wide a table is where it has all the room that it could want."""
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(width=10_000), grid).maximum
