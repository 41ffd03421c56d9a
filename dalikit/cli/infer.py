"""`dalikit sample`, `reconstruct`, `encode`, `vary`, `interpolate`, `neighbours`, `evaluate`: use a run."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dalikit.cli import output, settings
from dalikit.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributions import Distribution

    from dalikit.model import RunModel

Run = Annotated[Path, typer.Argument(help="Folder of a trained run.", show_default=False)]
Images = Annotated[list[Path] | None, typer.Argument(help="Image files.", show_default="the run's test part")]
Image = Annotated[str, typer.Argument(help="An image file, or the index of a test datum.")]
Out = Annotated[
    Path | None, typer.Option(help="Where to write.", show_default="a new file in the run's folder")
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of what is drawn.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, … or auto.")]
Weights = Annotated[str, typer.Option(help="last, or best: those that validation found best.")]
Number = Annotated[int, typer.Option("--n", min=1, help="How many.")]
Label = Annotated[
    str | None,
    typer.Option(help="A label by its name, for runs that read labels.", show_default="the data's own"),
]

ARRAYS = (".npy", ".npz")
PICTURE_OR_ARRAYS = (".png", *ARRAYS)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (sample, reconstruct, encode, vary, interpolate, neighbours, evaluate):
        app.command()(command)


def sample(
    run: Run,
    n: Annotated[
        int | None, typer.Option(min=1, help="How many.", show_default="64 images, 2500 points")
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
    images: Images = None,
    n: Number = 32,
    label: Label = None,
    out: Out = None,
    force: Force = False,
    weights: Weights = "last",
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Draw images beside their reconstructions: image files, or the first of the test part."""
    model = _load(run, device, data_root, weights)
    given = _given(model, images, n, label)
    target = output.target(out, model.run.path, "reconstruct.png", PICTURE_OR_ARRAYS, force)
    output.write_pairs(model, given.x, model.reconstruct(given.x, given.labels), target)


def encode(
    run: Run,
    images: Images = None,
    label: Label = None,
    out: Out = None,
    force: Force = False,
    weights: Weights = "last",
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Write codes: .npy has each datum's code; .npz has `code`, and the posterior's `mean` and `stddev`."""
    import torch

    model = _load(run, device, data_root, weights)
    given = _given(model, images, None, label)
    target = output.target(out, model.run.path, "encode.npz", ARRAYS, force)
    moments = [_moments(model.encode(part.x, part.labels)) for part in given.parts(model)]
    joined = {name: torch.cat([m[name] for m in moments]) for name in moments[0]}
    output.write_arrays({"code": model.code(given.x, given.labels), **joined}, "code", target)


def vary(
    run: Run,
    image: Image = "0",
    n: Number = 15,
    label: Label = None,
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
    given = _one(model, image, label)
    target = output.target(out, model.run.path, "vary.png", PICTURE_OR_ARRAYS, force)
    around = model.vary(given.x, n, seed, given.labels)[0]
    output.write_data(model, torch.cat([given.x, around]) if target.suffix == ".png" else around, target)


def interpolate(
    run: Run,
    start: Image = "0",
    end: Image = "1",
    steps: Annotated[int, typer.Option(min=2, help="Data on the way, both ends among them.")] = 10,
    label: Label = None,
    out: Out = None,
    force: Force = False,
    weights: Weights = "last",
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Walk between two data in a straight line between their codes, under the first one's label."""
    model = _load(run, device, data_root, weights)
    first, last = _one(model, start, label), _one(model, end, label)
    target = output.target(out, model.run.path, "interpolate.png", PICTURE_OR_ARRAYS, force)
    walk = model.interpolate(first.x, last.x, steps, first.labels, last.labels)[0]
    output.write_data(model, walk, target, columns=steps)


def neighbours(
    run: Run,
    images: Annotated[
        list[Path] | None, typer.Argument(help="Image files.", show_default="8 of the run's test part")
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Neighbours of each.")] = 9,
    among: Annotated[
        int, typer.Option(min=1, help="Training data that are searched, from the first.")
    ] = 10_000,
    label: Label = None,
    out: Out = None,
    force: Force = False,
    weights: Weights = "last",
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Draw images, each followed by the training data whose codes are nearest to its own."""
    import torch

    model = _load(run, device, data_root, weights)
    given = _given(model, images, 8, label)
    target = output.target(out, model.run.path, "neighbours.png", PICTURE_OR_ARRAYS, force)
    found, distances = model.neighbours(given.x, n, among=among, labels=given.labels)
    if target.suffix == ".png":
        rows = torch.cat([given.x.to(found)[:, None], found], 1)
        output.write_data(model, rows.flatten(0, 1), target, columns=n + 1)
    else:
        output.write_arrays({"x": given.x, "neighbours": found, "distances": distances}, "neighbours", target)


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
    from dalikit.cli.report import scores_table, warn_of_other_data
    from dalikit.runs.scores import scores_document

    if part not in ("train", "validation", "test"):
        raise UserError(f"--part {part}: it is train, validation or test")
    model = _load(run, device, data_root, weights)
    warn_of_other_data(model.run, model.dataset)
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
    from dalikit.runs.config import from_assignment, join

    given = join(from_assignment(text) for text in assignments)
    if stray := [section for section in given if section != "metrics"]:
        raise UserError(
            f"--set {stray[0]}: a trained run's metrics alone can be set, as metrics.NAME.PARAMETER=value"
        )
    if not names and not given:
        return None
    own = model.config.metrics
    chosen = {name: own.get(name) or {} for name in names} if names else own
    return join([chosen, given.get("metrics", {})])


def _load(run: Path, device: str, data_root: Path | None, weights: str) -> "RunModel":
    from dalikit.model import load

    return load(run, device, data_root=data_root, weights=weights)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Given:
    """What a command is about: data x (N, *X), and their labels (N,) where the run reads any."""

    x: "Tensor"
    labels: "Tensor | None"

    def parts(self, model: "RunModel") -> list["Given"]:
        """The same in batches."""
        from dalikit.evaluation.scoring import batch_size

        size = batch_size(model.spec.x_shape)
        spans = [slice(start, start + size) for start in range(0, len(self.x), size)]
        return [Given(self.x[span], None if self.labels is None else self.labels[span]) for span in spans]


def _given(model: "RunModel", images: list[Path] | None, n: int | None, label: str | None) -> Given:
    """The image files, or else the first n data of the test part, under `label` or their own."""
    if images:
        x, y = _read(model, images, label), None
    else:
        x, y = model.batch("test", n)
    own = y if model.method.conditional else None
    return Given(x, own if label is None else model.indices(label, len(x)))


def _read(model: "RunModel", images: list[Path], label: str | None) -> "Tensor":
    import torch

    from dalikit.data.imagefiles import read_image

    spec = model.spec
    if spec.value_range is None:
        raise UserError(f"This run's data have shape {spec.x_shape}: they are no images")
    if model.method.conditional and label is None:
        raise UserError(f"This run reads labels: --label says which, of {', '.join(spec.classes or ())}")
    return torch.stack([read_image(path, spec) for path in images])


def _one(model: "RunModel", which: str, label: str | None) -> Given:
    """An image file, or a test datum by its index."""
    if not which.isdecimal():
        found = _given(model, [Path(which)], None, label)
        return Given(found.x.to(model.device), found.labels)
    found = _given(model, None, int(which) + 1, label)
    if len(found.x) <= int(which):
        raise UserError(f"The test part has {len(found.x)} data: there is no index {which}")
    return Given(found.x[-1:], None if found.labels is None else found.labels[-1:])


def _moments(posterior: "Distribution") -> dict[str, "Tensor"]:
    """The posterior's mean and standard deviation, as far as it has them: a flow's have no formula."""
    moments = {}
    for name in ("mean", "stddev"):
        with suppress(NotImplementedError):
            moments[name] = getattr(posterior, name)
    return moments
