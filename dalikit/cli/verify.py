"""`dalikit verify`: whether a run is whole."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dalikit.cli import settings
from dalikit.cli.completing import run_folders
from dalikit.cli.components import Json
from dalikit.cli.sizes import told_size
from dalikit.cli.using import named

if TYPE_CHECKING:
    from rich.text import Text

    from dalikit.inspection import Verdict


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(verify)


def verify(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="The run's folder, or latest.", callback=named, autocompletion=run_folders
        ),
    ],
    json_: Json = False,
    data_root: settings.DataRoot = None,
) -> int:
    """Check a run whole: files, log, and that it draws. Exit code 0: whole; 1: damaged; 2: no run."""
    from rich.console import Console

    from dalikit import inspection

    verdict = inspection.verify(run, data_root=data_root)
    if json_:
        print(json.dumps(verdict.document(), indent=2))
    else:
        console = Console(soft_wrap=True, highlight=False)
        for line in _lines(verdict):
            console.print(line)
    return 0 if verdict.whole else 1


def _lines(verdict: "Verdict") -> "list[Text]":
    """What is wrong, a line each, and a line that sums it up."""
    from rich.text import Text

    faults = [Text.assemble((fault.where, "bold"), f": {fault.says}") for fault in verdict.files.faults]
    if faults:
        count = "one thing is" if len(faults) == 1 else f"{len(faults)} things are"
        end = Text.assemble(f"{verdict.run} is ", ("damaged", "bold red"), f": {count} wrong")
    else:
        end = Text.assemble(f"{verdict.run} is ", ("whole", "bold green"), f": {_counted(verdict)}")
    used = [] if not verdict.unused or faults else [Text(f"Not drawn from: {verdict.unused}", "yellow")]
    return [*faults, *used, Text.assemble(end, f" ({verdict.seconds:.1f} s)")]


def _counted(verdict: "Verdict") -> str:
    files = verdict.files
    steps = ", ".join(f"{step:,}" for step in files.checkpoints)
    found = [
        f"checkpoint{'s' if files.checkpoints[1:] else ''} of step {steps}" if steps else "no checkpoint yet"
    ]
    found += [f"best weights of step {files.best[-1]:,}"] if files.best else []
    found += [f"{files.lines:,} lines of log", f"{files.files} files of {told_size(files.size)}"]
    drawn = "draws and encodes" if verdict.encoded else "draws"
    return f"{', '.join(found)}{f'; it {drawn}' if verdict.used else ''}"
