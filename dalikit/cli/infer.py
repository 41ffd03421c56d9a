"""`dalikit sample`, `reconstruct`, `encode`, `vary`, `interpolate`, `neighbours`, `evaluate`: use a run."""

import json
from contextlib import suppress
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
Out = Annotated[
    Path | None, typer.Option(help="Where to write.", show_default="a new file in the run's folder")
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of what is drawn.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, … or auto.")]
Number = Annotated[int, typer.Option("--n", min=1, help="How many.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (sample, reconstruct, encode, vary, interpolate, neighbours, evaluate):
        app.command()(command)


def sample(
    run: Run,
    n: Annotated[
        int | None, typer.Option(min=1, help="How many.", show_default="64 images, 2500 points")
    ] = None,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Draw samples: a picture (.png), an array (.npy, .npz), or a folder of single images."""
    model = _load(run, device)
    target = output.target(out, model.run.path, "sample.png", (".png", ".npy", ".npz", ""), force)
    count = n or (2500 if model.value_range is None else 64)
    output.write_data(model, model.sample(count, seed), target)


def reconstruct(
    run: Run,
    images: Images = None,
    n: Number = 32,
    out: Out = None,
    force: Force = False,
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Draw images beside their reconstructions: image files, or the first of the test part."""
    model = _load(run, device)
    x = _given(model, images, n)
    target = output.target(out, model.run.path, "reconstruct.png", (".png", ".npy", ".npz"), force)
    output.write_pairs(model, x, model.reconstruct(x), target)


def encode(
    run: Run,
    images: Images = None,
    out: Out = None,
    force: Force = False,
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Write codes: .npy has each datum's code; .npz has `code`, and the posterior's `mean` and `stddev`."""
    import torch

    from dalikit.evaluation.scoring import batch_size

    model = _load(run, device)
    x = _given(model, images, None)
    target = output.target(out, model.run.path, "encode.npz", (".npy", ".npz"), force)
    moments = [_moments(model.encode(chunk)) for chunk in x.split(batch_size(model.x_shape))]
    joined = {name: torch.cat([m[name] for m in moments]) for name in moments[0]}
    output.write_arrays({"code": model.code(x), **joined}, "code", target)


def _moments(posterior: "Distribution") -> dict[str, "Tensor"]:
    """The posterior's mean and standard deviation, as far as it has them: a flow's have no formula."""
    moments = {}
    for name in ("mean", "stddev"):
        with suppress(NotImplementedError):
            moments[name] = getattr(posterior, name)
    return moments


def vary(
    run: Run,
    image: Annotated[str, typer.Argument(help="An image file, or the index of a test datum.")] = "0",
    n: Number = 15,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Draw a datum, and others whose codes come from its posterior q(z|x)."""
    import torch

    model = _load(run, device)
    x = _one(model, image)
    target = output.target(out, model.run.path, "vary.png", (".png", ".npy", ".npz"), force)
    variations = model.vary(x, n, seed)[0]
    output.write_data(model, torch.cat([x, variations]) if target.suffix == ".png" else variations, target)


def interpolate(
    run: Run,
    start: Annotated[str, typer.Argument(help="An image file, or the index of a test datum.")] = "0",
    end: Annotated[str, typer.Argument(help="An image file, or the index of a test datum.")] = "1",
    steps: Annotated[int, typer.Option(min=2, help="Data on the way, both ends among them.")] = 10,
    out: Out = None,
    force: Force = False,
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Walk between two data in a straight line between their codes."""
    model = _load(run, device)
    target = output.target(out, model.run.path, "interpolate.png", (".png", ".npy", ".npz"), force)
    walk = model.interpolate(_one(model, start), _one(model, end), steps)[0]
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
    out: Out = None,
    force: Force = False,
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Draw images, each followed by the training data whose codes are nearest to its own."""
    import torch

    model = _load(run, device)
    x = _given(model, images, 8)
    target = output.target(out, model.run.path, "neighbours.png", (".png", ".npy", ".npz"), force)
    found, distances = model.neighbours(x, n, among=among)
    if target.suffix == ".png":
        rows = torch.cat([x.to(found)[:, None], found], 1)
        output.write_data(model, rows.flatten(0, 1), target, columns=n + 1)
    else:
        output.write_arrays({"x": x, "neighbours": found, "distances": distances}, "neighbours", target)


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
    device: Device = "cpu",
    data_root: settings.DataRoot = None,
) -> None:
    """Score a run by metrics, each with its protocol beside it."""
    from dalikit.cli.report import scores_document, scores_table, warn_of_other_data

    if part not in ("train", "validation", "test"):
        raise UserError(f"--part {part}: it is train, validation or test")
    model = _load(run, device)
    warn_of_other_data(model.run, model.dataset)
    chosen = _metrics(model, metric, assignments or [])
    scores, skipped = model.evaluate(chosen, part, seed)  # type: ignore[arg-type]
    if json_:
        print(
            json.dumps(
                scores_document(model.run, model.step, model.dataset, scores, skipped, seed),
                indent=2,
                allow_nan=False,
            )
        )
    else:
        scores_table(scores, skipped)


def _metrics(
    model: "RunModel", names: list[str] | None, assignments: list[str]
) -> dict[str, dict[str, Any] | None] | None:
    """The metrics asked for with their parameters, or None for the run's own as they are."""
    from dalikit.runs.config import from_assignment, together

    given = together(from_assignment(text) for text in assignments)
    if stray := [section for section in given if section != "metrics"]:
        raise UserError(
            f"--set {stray[0]}: a trained run's metrics alone can be set, as metrics.NAME.PARAMETER=value"
        )
    if not names and not given:
        return None
    own = model.config.metrics
    settings = {name: own.get(name) or {} for name in names} if names else own
    return together([settings, given.get("metrics", {})])


def _load(run: Path, device: str) -> "RunModel":
    from dalikit.model import load

    return load(run, device)


def _given(model: "RunModel", images: list[Path] | None, n: int | None) -> "Tensor":
    """The image files as x (N, *X), or else the first n data of the test part."""
    if not images:
        return model.data("test", n)
    import torch

    from dalikit.pictures import read_image

    if model.value_range is None:
        raise UserError(f"This run's data have shape {model.x_shape}: they are no images")
    return torch.stack([read_image(path, model.x_shape, model.value_range) for path in images])


def _one(model: "RunModel", which: str) -> "Tensor":
    """An image file, or a test datum by its index, as x (1, *X)."""
    if not which.isdecimal():
        return _given(model, [Path(which)], None).to(model.device)
    data = model.data("test", int(which) + 1)
    if len(data) <= int(which):
        raise UserError(f"The test part has {len(data)} data: there is no index {which}")
    return data[-1:]
