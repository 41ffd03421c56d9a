"""What is handed in: pictures, one by one or by the folder, read once and fitted; arrays; lists of either."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any
from weakref import finalize

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dalikit.data import arrayfiles, prepared, telling
from dalikit.data.imagefiles import open_image, reason
from dalikit.data.locating import source_of
from dalikit.data.sources import Opener
from dalikit.errors import UserError
from dalikit.functional.fitting import Fitting, upright_size

Picture = str | Path | Image.Image

HELD = 1 << 28
"""Bytes of fitted pictures that are held in memory; what is more waits on the disk."""

SHOWN = 5
"""Broken files that are told of by name."""


class Spool:
    """uint8 rows of one shape, held in memory up to `HELD` bytes and in a temporary file beyond."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.count = shape, 0
        self.file = SpooledTemporaryFile(HELD)  # noqa: SIM115  # closed when this goes
        finalize(self, self.file.close)

    def append(self, row: np.ndarray) -> None:
        """Add a row."""
        self.file.write(row.tobytes())
        self.count += 1

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, span: slice) -> np.ndarray:
        start, stop, _ = span.indices(self.count)
        size = math.prod(self.shape)
        self.file.seek(start * size)
        read = bytearray(self.file.read((stop - start) * size))
        return np.frombuffer(read, np.uint8).reshape(-1, *self.shape)


def read_pictures(given: Sequence[Picture], fitting: Fitting) -> tuple[Spool, tuple[str, ...], str]:
    """Pictures as rows (H, W) or (H, W, 3), their names, and in a line what was done to them.

    A folder, a zip or a parquet file stands for all pictures in it, whatever folders they lie in; broken ones
    are left out with a warning.

    Raises:
        UserError: a picture that is named itself is broken or missing, or none is left.
    """
    rows, names, sizes, broken = Spool(fitting.shape), [], [], {}
    for name, opened, alone in _each(given):
        try:
            with opened() as image:
                size = upright_size(image)
                row = fitting.apply(image)
        except Exception as error:  # decoders raise anything on a damaged file
            if alone:
                raise UserError(f"Image {name}: {reason(error)}") from None
            broken[name] = reason(error)
        else:
            rows.append(row)
            sizes.append(size)
            names.append(name)
    _tell(broken, len(rows), given)
    return rows, tuple(names), f"{counted(len(rows), 'image')}, {done(fitting, sizes)}"


def read_arrays(file: Path) -> np.ndarray:
    """The data of an .npy file, or of an .npz file laid out as those that are trained on, train before test.

    Of one that holds more, as commands write them, the array called `x`.

    Raises:
        UserError: it cannot be read, or holds something else.
    """
    if not file.is_file():
        raise UserError(f"{file}: no such file")
    if file.suffix.lower() == ".npz" and "x" in prepared.shapes(file):
        return prepared.read(file)["x"]
    arrays, sources = arrayfiles.laid_out(file)
    first, *others = (arrays[name] for name, _ in sources.values())
    if any(not a.shape or (a.shape[1:], a.dtype) != (first.shape[1:], first.dtype) for a in others):
        raise UserError(f"{file}: data of train and test are not alike: hand them in one by one")
    return np.concatenate([first, *others]) if others else first


def as_list(data: Any) -> list[Any]:
    """What is handed in together, one by one; raises `UserError` where it is no collection."""
    if isinstance(data, bytes | Mapping) or not isinstance(data, Iterable):
        raise _unknown([data])
    return list(data)


def joined(several: Sequence[Any]) -> Tensor | np.ndarray:
    """Data handed in one by one as a whole: tensors as a tensor; arrays, or rows of numbers, as an array.

    Raises:
        UserError: they are something else, or not of one shape.
    """
    try:
        if several and all(isinstance(one, Tensor) for one in several):
            return torch.stack(list(several))
        if all(isinstance(one, np.ndarray | np.generic | int | float | list | tuple) for one in several):
            found = np.asarray(several)
            if found.dtype.kind in "buif":
                return found
    except (ValueError, RuntimeError):  # shapes that differ
        pass
    raise _unknown(several)


def _unknown(several: Sequence[Any]) -> UserError:
    shapes = (f" {tuple(one.shape)}" if isinstance(one, Tensor | np.ndarray) else "" for one in several)
    kinds = dict.fromkeys(f"{type(one).__name__}{s}" for one, s in zip(several, shapes, strict=True))
    more = f" and {len(kinds) - SHOWN} more" if len(kinds) > SHOWN else ""
    return UserError(
        f"{', '.join(list(kinds)[:SHOWN])}{more} cannot be read as data: pictures or files are needed, or "
        "arrays, tensors or rows of numbers, all of one shape"
    )


def counted(n: int, what: str) -> str:
    """A number with what is counted.

    Examples:
        >>> counted(1, "image"), counted(1200, "image")
        ('1 image', '1,200 images')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def done(fitting: Fitting, sizes: Sequence[tuple[int, int]]) -> str:
    """What fitting does to pictures of some sizes (W, H), in words.

    Examples:
        >>> done(Fitting(height=32, width=32, channels=1), [(96, 96)])
        '96×96, resized to 32×32'
        >>> done(Fitting(height=32, width=40, channels=1), [(96, 64), (20, 160)])
        '20–160 px, centre-cropped and resized to 40×32'
    """
    wide, high = fitting.width, fitting.height
    sides = telling.span([side for size in sizes for side in size])
    seen = f"{sizes[0][0]}×{sizes[0][1]}" if len(set(sizes)) == 1 else f"{sides} px"
    if set(sizes) == {(wide, high)} and fitting.share == 1:
        return seen
    resized = "enlarged" if all(w <= wide and h <= high for w, h in sizes) else "resized"
    if fitting.share < 1 or any(w * high != h * wide for w, h in sizes):
        first = {"crop": "centre-cropped and ", "pad": "padded with white and ", "stretch": "stretched and "}
        resized = first[fitting.how] + resized
    return f"{seen}, {resized} to {wide}×{high}"


def _each(
    given: Sequence[Picture],
) -> Iterator[tuple[str, Callable[[], AbstractContextManager[Image.Image]], bool]]:
    """Each picture's name, what opens it, and whether it is named itself, not by a folder that it lies in."""
    for number, picture in enumerate(given):
        if isinstance(picture, Image.Image):  # a copy, for decoding at a part of its size would change it
            yield f"{number}", partial(_held, picture.copy()), True
        elif Path(picture).is_dir() or Path(picture).suffix.lower() in (".zip", ".parquet"):
            if not Path(picture).exists():
                raise UserError(f"{picture}: no such file")
            source = source_of(Path(picture), divided=False)
            for entry, opener in zip(source.entries, source.openers(), strict=True):
                yield f"{Path(picture) / entry.name}", partial(_opened, opener), False
        else:
            yield f"{picture}", partial(open_image, Path(picture)), True


def _held(picture: Image.Image) -> AbstractContextManager[Image.Image]:
    return nullcontext(picture)


def _opened(opener: Opener) -> AbstractContextManager[Image.Image]:
    return open_image(opener())


def _tell(broken: Mapping[str, str], left: int, given: Sequence[Picture]) -> None:
    """Warn of broken pictures, or raise `UserError` where none is left."""
    named = telling.some([f"{name}: {why}" for name, why in broken.items()], SHOWN)
    if not left:
        where = f"there is none in {', '.join(map(str, given))}"
        raise UserError(f"No picture can be read: {named or where}")
    if broken:
        warnings.warn(f"{len(broken):,} of {left + len(broken):,} images are left out: {named}", stacklevel=4)
