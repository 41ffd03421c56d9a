"""`dalikit plugins info` and `dalikit plugins new`: for those who use plugins, and those who write them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dalikit.errors import UserError, nearest

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dalikit.assembly.registry import Registry, Row
    from dalikit.inspection.described import ComponentDescription

LABELS = 10
"""Columns in which it is said what stands beside them."""


def register(group: typer.Typer) -> None:
    """Add the commands to the group `plugins`."""
    group.command()(info)
    group.command()(new)


def info(
    name: Annotated[
        str, typer.Argument(help="A component, as package:name too, or a package.", show_default=False)
    ],
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Of which kind, where several bear the name.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Show a component: its parameters with what its author says of them, its paper, where it comes from."""
    import warnings

    from dalikit.assembly.registry import PluginWarning, Registry
    from dalikit.inspection.described import described

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # what is broken is told of below, if it is asked for
        registry = Registry.discover()
    found = [described(row) for row in _asked(registry, name, kind)]
    package = _package(registry, name) if kind is None else []
    if not found and not package:
        known = sorted({row.name for row in registry.rows} | {row.distribution for row in registry.rows})
        what = f"{kind} or package" if kind else "component or package"
        raise UserError(f"Unknown {what} '{name}'.{nearest(name, known)} `dalikit plugins` lists all")
    if json_:
        print(json.dumps([each.document() for each in found or map(described, package)], indent=2))
        return
    _print(found, package)


def new(
    name: Annotated[str, typer.Argument(help="Of the package, e.g. dalikit-hello.", show_default=False)],
    kind: Annotated[
        str,
        typer.Option(
            metavar="KIND", help="What it holds, e.g. game, posterior, dataset.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where to write.", show_default="a folder called NAME"),
    ] = None,
) -> None:
    """Write a package with one component of a kind, which installs, passes its test and trains as it is."""
    from dalikit.assembly.registry import Registry
    from dalikit.scaffolding import new_package

    made = new_package(name, kind, Registry.discover(), out)
    print(f"Wrote {made.folder}: {', '.join(made.files)}")
    print("Next:")
    for command in (f"pip install -e {made.folder}", f"python -m pytest {made.folder}", *made.commands):
        print(f"  {command}")


def _asked(registry: "Registry", name: str, kind: str | None) -> "list[Row]":
    """The components that a name means, of one kind or of all."""
    from dalikit.assembly.registry import OF
    from dalikit.assembly.selection import canonical

    package, colon, own = name.rpartition(OF)
    return [
        row
        for row in registry.rows
        if kind in (None, row.kind)
        and row.name in (name, own if colon else name)
        and (row.name == name or canonical(row.distribution) == canonical(package))
    ]


def _package(registry: "Registry", name: str) -> "list[Row]":
    """What the package of a name offers."""
    from dalikit.assembly.selection import canonical

    return [row for row in registry.rows if canonical(row.distribution) == canonical(name)]


def _print(found: "list[ComponentDescription]", package: "list[Row]") -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for part in [*(_component(each) for each in found), *([_offers(package)] if package else [])]:
        for line in part:
            console.print(line, soft_wrap=isinstance(line, Text))  # so that a path can be copied


def _component(each: "ComponentDescription") -> "Iterator[RenderableType]":
    """A component's lines: what it is, what may be set, and where it comes from."""
    from rich.padding import Padding
    from rich.text import Text

    yield Text.assemble((f"{each.kind} {each.name}", "bold"))
    if each.summary:
        yield Padding(Text(each.summary), (0, 0, 0, 2), expand=False)
    yield Text()
    for parameter in each.parameters:
        yield Text.assemble("  ", (parameter.name, "bold"), f": {parameter.type} = {parameter.default}")
        if parameter.doc:
            yield Padding(Text(parameter.doc), (0, 0, 0, 6), expand=False)
    if each.parameters:
        yield Text()
    where = f"{each.distribution} {each.version}, entry point '{each.plugin}'"
    lines = {"source": each.source, **each.content, "from": where}
    if each.state != "ok":
        lines["state"] = f"{each.state}: {each.detail}"
    yield _grid({label: text for label, text in lines.items() if text})
    if each.file:
        yield Text(f"  {'file':<{LABELS}}{each.file}")
    yield Text()


def _offers(package: "list[Row]") -> "Iterator[RenderableType]":
    """A package's lines: its version, and what it offers."""
    from importlib.metadata import PackageNotFoundError, metadata

    from rich.text import Text

    first = package[0]
    try:
        told = metadata(first.distribution)["Summary"] or ""
    except PackageNotFoundError:
        told = ""
    yield Text.assemble((first.source, "bold"), f": {told}" if told else "")
    seconds = {row.plugin: row.seconds for row in package}
    points = ", ".join(f"'{name}' ({taken:.1f} s to import)" for name, taken in seconds.items())
    yield Text(f"  entry point{'s' if len(seconds) > 1 else ''} {points}")
    for row in sorted(package, key=lambda row: (row.kind, row.name)):
        fault = f"  {row.state}: {row.detail}" if row.state != "ok" else ""
        yield Text(f"  {row.kind} {row.name}{fault}")


def _grid(lines: dict[str, str]) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=LABELS)
    for label, text in lines.items():
        table.add_row(Text(f"  {label}"), Text(text, overflow="fold"))
    return table
