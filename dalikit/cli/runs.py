"""`dalikit runs`: the runs in a folder."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dalikit.cli.components import Json
from dalikit.cli.sizes import told_age
from dalikit.whereabouts import RUNS

if TYPE_CHECKING:
    from rich.table import Table

    from dalikit.inspection import Listed

STATES = {"finished": "green", "in training": "bold cyan", "stopped": "yellow", "damaged": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(runs)


def runs(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where they lie.")] = RUNS,
    json_: Json = False,
) -> None:
    """List the runs in a folder and below it, the newest first: what each trains, how far, its scores."""
    from rich.console import Console
    from rich.text import Text

    from dalikit.inspection import list_runs

    found = [] if folder == RUNS and not folder.exists() else list_runs(folder)
    if json_:
        print(json.dumps([each.document() for each in found], indent=2))
        return
    console = Console(highlight=False)
    if not found:
        console.print(f"No runs in {folder}: `dalikit train` makes them", soft_wrap=True)
        return
    console.print(_table(found, folder))
    for each in found:
        if each.fault:
            console.print(Text.assemble((str(each.run), "bold red"), f": {each.fault}"), soft_wrap=True)


def _table(found: "list[Listed]", folder: Path) -> "Table":
    from rich import box
    from rich.table import Column, Table
    from rich.text import Text

    plain = (Column(name, no_wrap=True) for name in ("method", "data", "state"))
    steps, age = (Column(name, no_wrap=True, justify="right") for name in ("step", "age"))
    table = Table(
        Column("run", overflow="fold", ratio=1),
        *plain,
        steps,
        age,
        Column("scores", overflow="fold", max_width=30),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for each in found:
        name = str(each.run.relative_to(folder)) if each.run != folder else each.run.name
        state = Text(each.state, STATES[each.state])
        words = (Text(each.method or "?"), Text(each.data or "?"), state, Text(_step(each)))
        table.add_row(Text(name), *words, Text(told_age(each.age)), Text(_scores(each)))
    return table


def _step(run: "Listed") -> str:
    if run.step is None:
        return "?"
    return f"{run.step:,}" if run.step == run.steps else f"{run.step:,} of {run.steps:,}"


def _scores(run: "Listed") -> str:
    """Each metric's first value, which is what it is about."""
    first = [next(iter(values.items())) for values in run.scores.values() if values]
    return ", ".join(f"{name} {value:.4g}" for name, value in first)
