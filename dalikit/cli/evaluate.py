"""`dalikit evaluate`: a run's scores, each with its protocol."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dalikit.cli import settings
from dalikit.cli.completing import of_kind, one_of
from dalikit.cli.components import Json
from dalikit.cli.quiet import Quiet, hushed
from dalikit.cli.using import Device, Run, Seed, Weights, load_run
from dalikit.errors import UserError

if TYPE_CHECKING:
    from dalikit.model import RunModel


PARTS = ("train", "validation", "test")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(evaluate)


def evaluate(
    run: Run,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="A metric; may be repeated.", show_default="the data set's", autocompletion=of_kind("metric")
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A metric's setting, e.g. metrics.modes.count=10000."
        ),
    ] = None,
    part: Annotated[
        str, typer.Option(help="train, validation or test.", autocompletion=one_of(*PARTS))
    ] = "test",
    seed: Seed = 0,
    json_: Json = False,
    quiet: Quiet = False,
    weights: Weights = "last",
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Score a run by metrics, each with its protocol beside it."""
    from dalikit.cli.report import scores_table
    from dalikit.runs.scores import scores_document

    if part not in PARTS:
        raise UserError(f"--part {part}: it is train, validation or test")
    with hushed(quiet or json_):
        model = load_run(run, device, data_root, weights)
        chosen = _metrics(model, metric, assignments or [])
        scores, skipped = model.evaluate(chosen, part, seed)  # type: ignore[arg-type]
    if json_:
        document = scores_document(model.run, model.step, model.dataset, scores, skipped, seed, model.weights)
        print(json.dumps(document, indent=2, allow_nan=False))
    else:
        scores_table(scores, skipped, protocols=not quiet)


def _metrics(
    model: "RunModel", names: list[str] | None, assignments: list[str]
) -> dict[str, dict[str, Any] | None] | None:
    """The metrics asked for with their parameters, or None for the run's own as they are."""
    from dalikit.runs.config import join
    from dalikit.runs.configtext import from_assignment

    given = join(from_assignment(text) for text in assignments)
    if stray := [s for s, value in given.items() if s != "metrics" or not isinstance(value, dict)]:
        raise UserError(
            f"--set {stray[0]}: a run's metrics alone can be set, as metrics.NAME.PARAMETER=value"
        )
    if not names and not given:
        return None
    own = model.config.metrics
    chosen = {name: own.get(name) or {} for name in names} if names else own
    return join([chosen, given.get("metrics", {})])
