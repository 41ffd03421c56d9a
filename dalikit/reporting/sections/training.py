"""The pictures that training has drawn, one after the other."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from PIL import Image

from dalikit.plainfiles import open_plain
from dalikit.reporting.blocks import Block, Frame, Picture, Slider
from dalikit.reporting.drawing import embedded, png_uri
from dalikit.reporting.section import Section
from dalikit.reporting.subject import Subject
from dalikit.reporting.use import Use

T = TypeVar("T")

FRAMES = 24
"""Moments of a training that are shown at most."""

BYTES = 3 << 20
"""Of the pictures of all runs at most, before they are written as text; two moments are always shown."""

WIDEST = 1000
"""The longer side of a picture, in pixels, from which on it is made smaller."""

LARGEST = 1 << 26
"""Bytes of a file, and pixels of a picture, beyond which it is passed over."""

SERIES = {"samples": "samples, always from the same codes", "reconstructions": "validation data, rebuilt"}
"""The folders that training draws into, and what is in them."""


class Training(Section):
    """Samples and reconstructions at moments of the training, by a slider."""

    key, title = "training", "Through training"
    lead = (
        "Samples are always from the same codes, and reconstructions of the same data of the validation "
        "part: move the slider to see them form."
    )

    def alone(self, run: Subject, use: Use | None) -> Sequence[Block]:
        """One slider over all series."""
        shown = {name: steps for name in SERIES if (steps := _steps(run.run.path / name))}
        if not shown:
            return ()
        moments = _spread(sorted(set.intersection(*map(set, shown.values()))), FRAMES)
        frames = [frame for step in moments if (frame := _frame(run.run.path, step, list(shown)))]
        return (Slider("Step of the training", _within(frames, BYTES // run.beside)),) if frames else ()


def _steps(folder: Path) -> list[int]:
    """The steps of which there is a picture."""
    stems = [path.stem.removeprefix("step-") for path in folder.glob("step-*.png")]
    return [int(stem) for stem in stems if stem.isdecimal()]


def _frame(run: Path, step: int, series: Sequence[str]) -> Frame | None:
    """The pictures of a step; None where one cannot be read as such."""
    found = [_picture(run / name / f"step-{step:06d}.png", name, step) for name in series]
    return Frame(f"{step:,}", [each for each in found if each]) if all(found) else None


def _picture(path: Path, name: str, step: int) -> Picture | None:
    alt = f"Step {step:,}: {SERIES[name]}"
    try:
        with open_plain(path) as file:
            content = file.read(LARGEST)
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if picture.width * picture.height > LARGEST:
                return None
            if max(picture.size) <= WIDEST:
                picture.verify()
                return Picture(png_uri(content), alt, picture.width, name)
            picture.thumbnail((WIDEST, WIDEST))
            return embedded(picture, alt, name)
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
    ):  # a file of that name that is none of training's
        return None


def _within(frames: Sequence[Frame], most: int) -> Sequence[Frame]:
    """The frames, or so many of them as are about `most` bytes together."""
    size = sum(len(picture.src) for frame in frames for picture in frame.pictures) * 3 // 4
    return _spread(frames, max(2, len(frames) * most // size)) if size > most else frames


def _spread(values: Sequence[T], most: int) -> list[T]:
    """The first, the last, and such as lie evenly between them, `most` in all.

    Examples:
        >>> _spread(range(9), 3)
        [0, 4, 8]
    """
    if len(values) <= most:
        return list(values)
    return [values[i * (len(values) - 1) // (most - 1)] for i in range(most)]
