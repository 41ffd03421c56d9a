"""`dalikit report`: runs as one page, and the page of a run that has just been trained."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dalikit.cli import output, settings
from dalikit.cli.completing import run_folders
from dalikit.cli.quiet import with_quiet
from dalikit.cli.using import named
from dalikit.errors import DalikitError, UserError

if TYPE_CHECKING:
    from dalikit.training_run import TrainingRun

SECONDS = 5.0
"""What a page of a run that has just been trained takes: `--minutes` leaves so much for it."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(with_quiet(report))


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN…",
            help="Folders of runs, latest, or a study's folder.",
            show_default=False,
            callback=named,
            autocompletion=run_folders,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Where to write.",
            show_default="a new file in the run's folder, or here",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    data_root: settings.DataRoot = None,
) -> None:
    """Make one page of runs: curves, pictures, codes, scores, settings. It opens offline, in any browser."""
    if not installed():
        raise UserError('Reports need the extra `report`: pip install "dalikit[report]"')
    from dalikit.runs.folder import REPORT

    for path in runs:
        if not path.is_dir():
            raise UserError(f"{path} is no folder of a run: `dalikit train` makes runs")
    place = runs[0] if len(runs) == 1 else Path()
    target = output.target(out, place, REPORT, (".html",), force)
    from dalikit.reporting.report import report as make

    make(runs, target, data_root)
    print(f"Wrote {target}")


def installed() -> bool:
    """Whether the extra `report` is installed; nothing of it is imported."""
    from dalikit.reporting import EXTRA

    return all(find_spec(name) is not None for name in EXTRA)


def report_trained(training: "TrainingRun") -> Path | None:
    """Make the page of a run that has just been trained; None where there is none, which a warning says."""
    from dalikit.interfaces.blaming import named
    from dalikit.runs.folder import REPORT

    target = training.run.path / REPORT
    try:
        from dalikit.reporting.report import report_trained as make  # here: a library may not be importable

        training.run.check_there()
        make(training, target)
    except Exception as error:  # whatever fails beside a training, it is trained
        told = str(error) if isinstance(error, DalikitError) else f"{type(error).__name__}: {error}"
        said = named(error) or told
        print(f"Warning: no report was made: {said}", file=sys.stderr)
        return None
    return target
