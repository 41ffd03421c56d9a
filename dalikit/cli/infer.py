"""`dalikit sample`, `reconstruct`, `encode`, `vary`, `interpolate`, `neighbours`, `evaluate`: use a run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dalikit.cli import output, settings
from dalikit.cli.given import MOST, Files, Label, Number, One, Steps, ValueRange, given, one
from dalikit.cli.video import Fps, Loop, Video, check_options
from dalikit.errors import UserError

if TYPE_CHECKING:
    from dalikit.model import RunModel

Run = Annotated[Path, typer.Argument(help="Folder of a trained run.", show_default=False)]
Out = Annotated[
    Path | None, typer.Option(help="Where to write.", show_default="a new file in the run's folder")
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of what is drawn.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, … or auto.")]
Weights = Annotated[str, typer.Option(help="last, or best: those that validation found best.")]

PICTURE_OR_ARRAYS = (".png", *output.ARRAYS)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (sample, reconstruct, encode, vary, interpolate, neighbours, evaluate):
        app.command()(command)


def sample(
    run: Run,
    n: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="How many.", show_default="64 images, 2500 points")
    ] = None,
    label: Label = None,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    weights: Weights = "last",
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Draw samples: a picture (.png), an array (.npy, .npz), or a folder of single images."""
    from dalikit.pictures import count

    model = _load(run, device, data_root, weights)
    target = output.target(out, model.run.path, "sample.png", (*PICTURE_OR_ARRAYS, ""), force)
    output.write_data(model, model.sample(n or count(model.spec), seed, label), target)


def reconstruct(
    run: Run,
    files: Files = None,
    n: Annotated[int, typer.Option("--n", min=1, max=MOST, help="How many of the test part.")] = 32,
    label: Label = None,
    value_range: ValueRange = None,
    out: Out = None,
    force: Force = False,
    weights: Weights = "last",
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Draw data beside their reconstructions: pictures, folders of them, or the first of the test part."""
    model = _load(run, device, data_root, weights)
    data = given(model, files, n, label, value_range)
    target = output.target(out, model.run.path, "reconstruct.png", PICTURE_OR_ARRAYS, force)
    output.write_pairs(model, data.x.whole(), model.reconstruct(data.x, data.labels), target)


def encode(
    run: Run,
    files: Files = None,
    label: Label = None,
    value_range: ValueRange = None,
    out: Out = None,
    force: Force = False,
    weights: Weights = "last",
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Write codes: .npy has each datum's code; .npz has `code`, and the posterior's `mean` and `stddev`.

    Beside these an .npz file has the files' `names`, where the data come from files.
    """
    import numpy as np
    import torch

    from dalikit.inference import moments

    model = _load(run, device, data_root, weights)
    data = given(model, files, None, label, value_range)
    target = output.target(out, model.run.path, "encode.npz", output.ARRAYS, force)
    found = []
    for part in data.parts(model):
        posterior = model.encode(part.x, part.labels)
        found.append({"code": model.code(part.x, part.labels), **moments(posterior)})
    codes = {name: torch.cat([part[name] for part in found]) for name in found[0]}
    names = {"names": np.array(data.x.names)} if data.x.names else {}
    output.write_arrays({**codes, **names}, "code", target)


def vary(
    run: Run,
    datum: One = "0",
    n: Number = 15,
    label: Label = None,
    value_range: ValueRange = None,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    weights: Weights = "last",
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Draw a datum, and others whose codes come from its posterior q(z|x)."""
    import torch

    model = _load(run, device, data_root, weights)
    data = one(model, datum, label, value_range)
    target = output.target(out, model.run.path, "vary.png", PICTURE_OR_ARRAYS, force)
    around = model.vary(data.x, n, seed, data.labels)[0]
    own = data.x.whole().to(around)
    output.write_data(model, torch.cat([own, around]) if target.suffix == ".png" else around, target)


def interpolate(
    run: Run,
    start: One = "0",
    end: One = "1",
    steps: Steps = None,
    label: Label = None,
    value_range: ValueRange = None,
    out: Out = None,
    video: Video = None,
    fps: Fps = None,
    loop: Loop = True,
    force: Force = False,
    weights: Weights = "last",
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Walk between two data in a straight line between their codes, under the first one's label."""
    from dalikit.video import SUFFIXES

    check_options(video, out, fps, loop)
    model = _load(run, device, data_root, weights)
    first, last = one(model, start, label, value_range), one(model, end, label, value_range)
    kinds, count = (SUFFIXES, steps or 60) if video else (PICTURE_OR_ARRAYS, steps or 10)
    target = output.target(video or out, model.run.path, "interpolate.png", kinds, force)
    walk = model.interpolate(first.x, last.x, count, first.labels, last.labels)[0]
    if video:
        output.write_film(model, walk, target, fps, loop)
    else:
        output.write_data(model, walk, target, columns=count)


def neighbours(
    run: Run,
    files: Files = None,
    n: Annotated[int, typer.Option("--n", min=1, max=MOST, help="Neighbours of each.")] = 9,
    among: Annotated[
        int, typer.Option(min=1, max=100 * MOST, help="Training data that are searched, from the first.")
    ] = 10_000,
    label: Label = None,
    value_range: ValueRange = None,
    out: Out = None,
    force: Force = False,
    weights: Weights = "last",
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Draw data, 8 of the test part or files, each followed by the training data with the nearest codes."""
    import torch

    model = _load(run, device, data_root, weights)
    data = given(model, files, 8, label, value_range)
    target = output.target(out, model.run.path, "neighbours.png", PICTURE_OR_ARRAYS, force)
    found, distances = model.neighbours(data.x, n, among=among, labels=data.labels)
    own = data.x.whole().to(found)
    if target.suffix == ".png":
        rows = torch.cat([own[:, None], found], 1)
        output.write_data(model, rows.flatten(0, 1), target, columns=n + 1)
    else:
        original = model.inputs.original
        arrays = {"x": original(own), "neighbours": original(found), "distances": distances}
        output.write_arrays(arrays, "neighbours", target)


def evaluate(
    run: Run,
    metric: Annotated[
        list[str] | None, typer.Option(help="A metric; may be repeated.", show_default="the data set's")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A metric's setting, e.g. metrics.modes.count=10000."
        ),
    ] = None,
    part: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    seed: Seed = 0,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    weights: Weights = "last",
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Score a run by metrics, each with its protocol beside it."""
    from dalikit.cli.report import scores_table
    from dalikit.runs.scores import scores_document

    if part not in ("train", "validation", "test"):
        raise UserError(f"--part {part}: it is train, validation or test")
    model = _load(run, device, data_root, weights)
    chosen = _metrics(model, metric, assignments or [])
    scores, skipped = model.evaluate(chosen, part, seed)  # type: ignore[arg-type]
    if json_:
        document = scores_document(model.run, model.step, model.dataset, scores, skipped, seed, model.weights)
        print(json.dumps(document, indent=2, allow_nan=False))
    else:
        scores_table(scores, skipped)


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


def _load(run: Path, device: str, data_root: Path | None, weights: str) -> "RunModel":
    from dalikit.model import load

    return load(run, device, data_root=data_root, weights=weights)  # type: ignore[arg-type]
