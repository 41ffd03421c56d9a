"""What all commands that use a trained run are given, and the run itself."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from dalikit.cli.completing import one_of, run_folders
from dalikit.whereabouts import LATEST, latest

if TYPE_CHECKING:
    from dalikit.model import RunModel

Given = TypeVar("Given", Path, list[Path], None)


def named(context: typer.Context, given: Given) -> Given:
    """The runs that were given, the newest one in the place of `latest`; which that is, is said."""
    if context.resilient_parsing or given is None:
        return given
    if isinstance(given, list):
        return [_named(context, path) for path in given]
    return _named(context, given)


def _named(context: typer.Context, path: Path) -> Path:
    if str(path) != LATEST or path.exists():
        return path
    found = latest()
    if not context.params.get("quiet"):
        print(f"The latest run is {found}", file=sys.stderr)
    return found


Run = Annotated[
    Path,
    typer.Argument(
        help="Folder of a trained run, or latest.",
        show_default=False,
        callback=named,
        autocompletion=run_folders,
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of what is drawn.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, … or auto.")]
Weights = Annotated[
    str,
    typer.Option(
        help="last, or best: those that validation found best.", autocompletion=one_of("last", "best")
    ),
]


def load_run(run: Path, device: str, data_root: Path | None, weights: str) -> "RunModel":
    """The run, to be used on a device; says so where its training has not ended. Raises as `dalikit.load`."""
    from dalikit.model import load
    from dalikit.runs.folders import step_of
    from dalikit.runs.lock import held

    model = load(run, device, data_root=data_root, weights=weights)  # type: ignore[arg-type]
    saved, steps = max(map(step_of, model.run.checkpoints()), default=0), model.config.trainer["steps"]
    if held(run):
        print(f"{run} is still in training: used as of step {model.step:,} of {steps:,}")
    elif saved < steps:
        print(
            f"{run} was stopped at step {saved:,} of {steps:,}, and is used as of step {model.step:,}; "
            f"it goes on by: dalikit train --resume {run}"
        )
    return model
