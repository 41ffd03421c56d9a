"""`dalikit reproduce` and `compare`: the paper's tables and figures, and the same table for any runs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dalikit.cli import settings
from dalikit.cli.completing import of_kind, run_folders
from dalikit.cli.quiet import Quiet
from dalikit.cli.tables import print_lines, print_table
from dalikit.cli.using import named
from dalikit.errors import RunError, UserError

if TYPE_CHECKING:
    from dalikit.studies.table import Table

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(reproduce)
    app.command()(compare)


def reproduce(
    study: Annotated[
        str,
        typer.Argument(
            help="table1, table2, figure1, mixture, or a plugin's.", autocompletion=of_kind("study")
        ),
    ],
    rows: Annotated[str | None, typer.Option(metavar="A,B", help="Rows by name.", show_default="all")] = None,
    seeds: Annotated[
        str, typer.Option(metavar="N or A,B", help="How many seeds, from 0; or the seeds themselves.")
    ] = "1",
    dataset: Annotated[
        str | None, typer.Option(metavar="A,B", help="Data sets of the study.", show_default="all")
    ] = None,
    budget: Annotated[
        str, typer.Option(help="quick (minutes), balanced (weights set themselves) or paper (its own).")
    ] = "quick",
    jobs: Annotated[int, typer.Option(min=1, help="Runs at once; several compute with a thread each.")] = 1,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", show_default="runs/STUDY-BUDGET", help="Where to write.")
    ] = None,
    rescore: Annotated[
        bool, typer.Option("--rescore", help="Score finished runs again that had left a metric out.")
    ] = False,
    json_: Json = False,
    data_root: settings.DataRoot = None,
    quiet: Quiet = False,
) -> int:
    """Run a study and write its table beside the paper's; the same command goes on after an interruption."""
    numbers = _seeds(seeds)
    from dalikit.assembly.registry import Registry
    from dalikit.studies.launch import set_scores_aside
    from dalikit.studies.plan import make_plan
    from dalikit.studies.reproduce import reproduce as carry_out

    registry = Registry.discover()
    found = registry.get("study", study)
    folder = out or Path("runs") / f"{found.name}-{budget}"
    plan = make_plan(found, registry, folder, budget, _names(rows), _names(dataset), numbers)
    if rescore:
        set_scores_aside(plan.runs)
    table = carry_out(plan, registry, jobs, _silent if json_ or quiet else _say)
    _print(table, folder / found.name, json_, quiet=quiet)
    if not any(line.entry.records for line in table.lines):
        raise RunError(f"No run of {study} finished; {folder / f'{found.name}.md'} says why for each")
    return 1 if any(line.entry.faults for line in table.lines) else 0


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN…",
            help="Folders of finished runs; one may be latest.",
            callback=named,
            autocompletion=run_folders,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", show_default="nowhere", help="Where to write the table.")
    ] = None,
    json_: Json = False,
) -> None:
    """Put runs' scores into one table, those of one configuration over their seeds."""
    from dalikit.assembly.registry import Registry
    from dalikit.studies.compare import compare_runs
    from dalikit.studies.reproduce import write

    table = compare_runs(runs, Registry.discover())
    if out is not None:
        write(table, out, "compare")
    _print(table, out and out / "compare", json_)


def _names(text: str | None) -> list[str] | None:
    """The names that `A,B,…` means, or None for all."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _seeds(text: str) -> list[int]:
    """The seeds that `N` or `A,B,…` means.

    Examples:
        >>> _seeds("3"), _seeds("0,7"), _seeds("4,")
        ([0, 1, 2], [0, 7], [4])
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isdecimal() and int(word) < 2**32 for word in words):
        raise UserError(f"--seeds {text}: give how many, e.g. 3, or the seeds, e.g. 0,1,2")
    numbers = [int(word) for word in words]
    if "," in text:
        return list(dict.fromkeys(numbers))
    if not 1 <= numbers[0] <= 1000:
        raise UserError(f"--seeds {text}: the number of seeds is 1 to 1000; one seed of its own is '{text},'")
    return list(range(numbers[0]))


def _print(table: "Table", stem: Path | None, json_: bool, *, quiet: bool = False) -> None:
    from dalikit.studies import render

    if json_:
        print(json.dumps(render.document(table), indent=2, allow_nan=False))
        return
    for dataset in table.datasets:
        print_table(*render.grid(table, dataset), title=dataset)
    if quiet:
        return
    print_lines([*render.reasons(table), *render.protocols(table)])
    if stem is not None:
        print(f"Wrote {stem}.json, .md and .png")


def _say(line: str) -> None:
    print(line, flush=True)


def _silent(line: str) -> None:
    """For --json and --quiet, which print what was asked for and nothing else."""
