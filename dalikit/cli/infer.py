"""`dalikit sample`, `reconstruct`, `encode`, `vary`, `interpolate`, `neighbours`: use a run."""

from pathlib import Path
from typing import Annotated

import typer

from dalikit.cli import output, settings
from dalikit.cli.given import MOST, Files, Label, Number, One, Steps, ValueRange, given, one
from dalikit.cli.quiet import with_quiet
from dalikit.cli.using import Device, Run, Seed, Weights, load_run
from dalikit.cli.video import Fps, Loop, Video, check_options

Out = Annotated[
    Path | None, typer.Option(help="Where to write.", show_default="a new file in the run's folder")
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
PICTURE_OR_ARRAYS = (".png", *output.ARRAYS)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (sample, reconstruct, encode, vary, interpolate, neighbours):
        app.command()(with_quiet(command))


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

    model = load_run(run, device, data_root, weights)
    target = output.target(
        out, model.run.path, output.named(model, "sample"), (*PICTURE_OR_ARRAYS, ""), force
    )
    drawn = model.sample(n or count(model.spec), seed, label)
    what = f"{len(drawn):,} samples{'' if label is None else f' under label {label}'}, seed {seed}"
    output.write_data(model, drawn, target, what)


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
    model = load_run(run, device, data_root, weights)
    data = given(model, files, n, label, value_range)
    target = output.target(out, model.run.path, output.named(model, "reconstruct"), PICTURE_OR_ARRAYS, force)
    originals = "given data" if files else "test data"
    output.write_pairs(model, data.x.whole(), model.reconstruct(data.x, data.labels), target, originals)


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

    model = load_run(run, device, data_root, weights)
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

    from dalikit.pictures import legend

    model = load_run(run, device, data_root, weights)
    data = one(model, datum, label, value_range)
    target = output.target(out, model.run.path, output.named(model, "vary"), PICTURE_OR_ARRAYS, force)
    around = model.vary(data.x, n, seed, data.labels)[0]
    if target.suffix == ".png":
        what = legend(model.spec, "the datum", "made of codes drawn from its q(z|x)")
        shown = torch.cat([data.x.whole().to(around), around])
        output.write_data(model, shown, target, what, framed=[0])
    else:
        output.write_data(model, around, target, "")


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
    import torch

    from dalikit.pictures import legend
    from dalikit.video import SUFFIXES

    check_options(video, out, fps, loop)
    model = load_run(run, device, data_root, weights)
    first, last = one(model, start, label, value_range), one(model, end, label, value_range)
    kinds, count = (SUFFIXES, steps or 60) if video else (PICTURE_OR_ARRAYS, steps or 10)
    target = output.target(video or out, model.run.path, output.named(model, "interpolate"), kinds, force)
    walk = model.interpolate(first.x, last.x, count, first.labels, last.labels)[0]
    if video:
        output.write_film(model, walk, target, fps, loop)
    elif target.suffix == ".png":
        what = legend(model.spec, "the two data", "made of codes on the straight line between theirs")
        shown = torch.cat([first.x.whole().to(walk), walk, last.x.whole().to(walk)])
        output.write_data(model, shown, target, what, columns=len(shown), framed=[0, len(shown) - 1])
    else:
        output.write_data(model, walk, target, "")


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

    from dalikit.pictures import legend

    model = load_run(run, device, data_root, weights)
    data = given(model, files, 8, label, value_range)
    target = output.target(out, model.run.path, output.named(model, "neighbours"), PICTURE_OR_ARRAYS, force)
    found, distances = model.neighbours(data.x, n, among=among, labels=data.labels)
    own = data.x.whole().to(found)
    if target.suffix == ".png":
        rows = torch.cat([own[:, None], found], 1)
        what = legend(model.spec, "what was asked about", "the training data with the nearest codes")
        asked = range(0, len(rows) * (n + 1), n + 1)
        output.write_data(model, rows.flatten(0, 1), target, what, columns=n + 1, framed=asked)
    else:
        original = model.inputs.original
        arrays = {"x": original(own), "neighbours": original(found), "distances": distances}
        output.write_arrays(arrays, "neighbours", target)
