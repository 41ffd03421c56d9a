"""`dalikit film`: a training as a film."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from dalikit.cli import output
from dalikit.cli.infer import Force
from dalikit.cli.quiet import with_quiet
from dalikit.cli.using import Run
from dalikit.cli.video import Fps, Loop
from dalikit.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from PIL import Image

Read = TypeVar("Read")

MOST = 10_000
"""Pictures of a film."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(with_quiet(film))


def film(
    run: Run,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.gif|FILE.mp4", help="Where to write.", show_default="a GIF in the run's folder"
        ),
    ] = None,
    frames: Annotated[
        int, typer.Option(min=2, max=MOST, help="Pictures at most, evenly spaced through training.")
    ] = 200,
    fps: Fps = None,
    loop: Loop = True,
    force: Force = False,
) -> None:
    """Write the samples of a training, from the first picture to the last, as a film."""
    from dalikit import video
    from dalikit.runs import RunDirectory
    from dalikit.runs.folders import pictures

    directory = RunDirectory.open(run)
    target = output.target(out, directory.path, "film.gif", video.SUFFIXES, force)
    video.check_writable(target, loop)
    found = video.spaced(pictures(directory.path / "samples"), frames)
    if len(found) < 2:
        raise UserError(
            f"Run {run} has {len(found)} pictures in samples/, and a film needs two: "
            "callbacks.pictures draws them through training"
        )
    count = video.save(_captioned(found), target, fps or video.speed(len(found)), loop=loop)
    print(f"Wrote {target}: {count} pictures")


def _captioned(files: "Sequence[Path]") -> "Iterator[Image.Image]":
    """The pictures, each with its step below; they may be of several sizes, as where `count` was changed."""
    from dalikit.runs.folders import step_of
    from dalikit.video import captioned

    sizes = [_read(path, lambda image: image.size) for path in files]
    largest = max(width for width, _ in sizes), max(height for _, height in sizes)
    for path in files:
        yield captioned(_read(path, lambda image: image.convert("RGB")), f"step {step_of(path):,}", largest)


def _read(path: Path, read: "Callable[[Image.Image], Read]") -> "Read":
    """What is read of a picture's file; raises `UserError` where that is damaged."""
    from dalikit.data.imagefiles import open_image, reason

    try:
        with open_image(path) as image:
            return read(image)
    except Exception as error:  # decoders raise anything on a damaged file
        raise UserError(f"{path}: {reason(error)}") from None
