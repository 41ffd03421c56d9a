"""A user's pictures looked at, and prepared: each fitted once, what cannot be read named and left out."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from dalikit.data import prepared, telling
from dalikit.data.imagefiles import open_image, reason
from dalikit.data.images import track
from dalikit.data.sources import Opener, Source
from dalikit.data.splits import DIGEST, LEAST, digests
from dalikit.errors import RunError, UserError
from dalikit.files import write_text
from dalikit.functional.fitting import SHARPNESS, Fitting, convert_image, upright_size
from dalikit.interfaces import Derived

TOLERATED, TOLERATED_SHARE = 3, 0.03
"""Broken files from which a source is refused: more than so many, and than that share of all."""

SHOWN = 10
"""Broken files that are told of by name; a list beside the prepared file has all of them."""

GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B")
LOOKED_AT = 64
COLOUR, COLOURED = 16, 0.01
"""In colour is a picture of which, at 64 pixels a side, more than this share have channels further apart than
this, of 255: JPEG and scanners leave less in grey ones."""

LIKENESS = 32
"""Pixels a side of what is made of every picture to tell it from others, whatever a run makes of it."""

AS_IT_IS, UNASKED, STEP = 64, 32, 8
"""The largest side that is taken where all pictures have it; else the largest, and what sides divide by."""


@dataclass(frozen=True)
class Survey:
    """(W, H) of each picture of a source that can be opened, and whether one of them is in colour."""

    sizes: list[tuple[int, int]]
    colour: bool

    @property
    def size(self) -> Derived:
        """The sides that they are fitted to unless told, S or [H, W], and why."""
        if not self.sizes:
            return Derived(UNASKED, "no picture could be opened")
        return size_of(self.sizes)

    @property
    def channels(self) -> Derived:
        """1 or 3, and why."""
        if self.colour:
            return Derived(3, "some pictures are in colour")
        return Derived(1, "no picture is in colour")


def size_of(sizes: Sequence[tuple[int, int]], least: int = STEP) -> Derived:
    """The sides, S or [H, W], that pictures of these sizes (W, H) are fitted to unless told, and why.

    With sides of `least` and more they may stay as they are.
    """
    (width, height), *others = sorted(set(sizes))
    if not others and min(width, height) >= least and max(width, height) <= AS_IT_IS:
        return Derived(_side(height, width), f"all pictures are {width}×{height}")
    middle = median(min(size) for size in sizes)
    short = max(STEP, min(UNASKED, int(middle) // STEP * STEP))
    why = f"the median shorter side is {middle:g} px; {UNASKED} at most unless told, for a CPU's sake"
    shapes = {w / h for w, h in sizes}
    if max(shapes) / min(shapes) > 1.01 or not 0.5 <= min(shapes) <= 2:
        return Derived(short, why)
    longer = round(short * max(max(shapes), 1 / min(shapes)) / STEP) * STEP
    sides = (longer, short) if max(shapes) < 1 else (short, longer)
    return Derived(_side(*sides), f"{why}; all have one shape")


def survey(source: Source, channels: bool) -> Survey:
    """Look at each picture's head; and, where `channels` asks for it, decode until one in colour is found."""
    sizes, colour = [], False
    openers = source.openers()
    for _ in track(range(len(source.entries)), f"Looking at {source.path}"):
        opener = next(openers)
        try:
            with open_image(opener()) as image:
                sizes.append(upright_size(image))
                colour = colour or (channels and in_colour(image))
        except Exception:  # told of, by name, when they are prepared
            continue
    return Survey(sizes, colour)


def in_colour(image: Image.Image) -> bool:
    """Whether more than a hundredth of a picture's pixels are in colour, looked at with 64 a side."""
    if image.mode in GREY_MODES:
        return False
    image.draft(None, (LOOKED_AT, LOOKED_AT))
    small = convert_image(image, "RGB")
    small.thumbnail((LOOKED_AT, LOOKED_AT))
    spread = np.ptp(np.asarray(small).astype(np.int16), axis=2)
    return bool((spread > COLOUR).mean() > COLOURED)


def gather(path: Path, source: Source, fitting: Fitting) -> None:
    """Write the prepared file: for each picture of the source, in its order, what was made of it.

    Arrays: `images` (N, H, W) or (N, H, W, 3); `digests` (N, 16) of their likenesses; `sizes` (N, 2), width
    and height as they were; `sound` (N,), whether it could be read: where not, the other rows mean nothing.
    What could not is listed beside the file.

    Raises:
        UserError: too many cannot be read; nothing is written then but that list, where it is long.
    """
    count = len(source.entries)
    sizes, contents = np.zeros((count, 2), np.int32), np.zeros((count, DIGEST), np.uint8)
    faults: dict[str, str] = {}
    sound = np.ones(count, bool)
    listing = left_out(path)

    def images() -> Iterator[np.ndarray]:
        shape, dtype = (count, *fitting.shape), np.dtype(np.uint8)
        steps = iter(zip(range(count), source.entries, source.openers(), strict=True))
        for start in track(range(0, count, prepared.rows_at_once(shape, dtype)), f"Preparing {source.path}"):
            rows = np.zeros((min(prepared.rows_at_once(shape, dtype), count - start), *fitting.shape), dtype)
            for row, (at, entry, opener) in zip(rows, steps, strict=False):
                try:
                    sizes[at], row[...], contents[at] = _read(opener, fitting)
                except Exception as error:  # decoders raise anything on a damaged file
                    faults[entry.name], sound[at] = reason(error), False
            yield rows
        _refuse(faults, count, source, listing)

    late: dict[str, np.ndarray] = {"sizes": sizes, "digests": contents, "sound": sound}
    streams = {name: prepared.Stream(array.shape, array.dtype, (array,)) for name, array in late.items()}
    prepared.write(
        path, {"images": prepared.Stream((count, *fitting.shape), np.dtype(np.uint8), images()), **streams}
    )
    if faults:
        _list(faults, listing)
        warnings.warn(
            f"{len(faults)} of {count} images are left out: {_told(faults, source, listing)}", stacklevel=2
        )


def _read(opener: Opener, fitting: Fitting) -> tuple[tuple[int, int], np.ndarray, np.ndarray]:
    """A picture's upright size, what is made of it, and its digest (16,)."""
    with open_image(opener()) as image:
        size, row = upright_size(image), fitting.apply(image)
        # A JPEG file was decoded at a part of its size that the fitting chose.
        other = isinstance(image, JpegImageFile) and fitting.least != SHARPNESS * LIKENESS
        content = None if other else _content(image)
    if content is None:
        with open_image(opener()) as image:
            content = _content(image)
    return size, row, content


def _content(image: Image.Image) -> np.ndarray:
    """The digest (16,) of how a picture looks, upright and in colour, stretched to one size."""
    image.draft(None, (SHARPNESS * LIKENESS,) * 2)
    likeness = convert_image(image, "RGB").resize((LIKENESS, LIKENESS), Image.Resampling.BOX)
    return digests(np.asarray(likeness)[None])[0]


def left_out(path: Path) -> Path:
    """The list of what could not be read, beside a prepared file; it is there where there is any."""
    return path.with_suffix(".left-out.txt")


def _refuse(faults: Mapping[str, str], count: int, source: Source, listing: Path) -> None:
    many = len(faults) > max(TOLERATED, TOLERATED_SHARE * count)
    if not many and count - len(faults) >= LEAST:
        return
    if len(faults) > SHOWN:
        _list(faults, listing)
    few = "" if many else f", and {LEAST} at least are needed"
    raise UserError(
        f"dataset 'folder': {len(faults)} of {count} images cannot be read{few}: "
        f"{_told(faults, source, listing)}"
    )


def _told(faults: Mapping[str, str], source: Source, listing: Path) -> str:
    told = [f"{source.path / name}: {found}" for name, found in faults.items()]
    return telling.some(told, SHOWN, f", listed in {listing}")


def _list(faults: Mapping[str, str], listing: Path) -> None:
    named = {name.replace("\n", "\\n"): found for name, found in faults.items()}
    try:
        write_text(listing, "".join(f"{name}: {found}\n" for name, found in named.items()))
    except OSError as error:
        raise RunError(f"Cannot write {listing}: {reason(error)}") from None


def _side(height: int, width: int) -> int | list[int]:
    return height if height == width else [height, width]
