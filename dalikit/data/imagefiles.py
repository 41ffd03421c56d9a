"""Image files: opened with care, and what is wrong with broken ones."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from dalikit.data.fitting import convert_image
from dalikit.errors import UserError
from dalikit.functional.ranges import from_unit
from dalikit.interfaces import DataSpec

LIMIT = 128_000_000
"""The most pixels a picture may claim to have: half a gigabyte, once it is decoded."""


@contextmanager
def open_image(file: Path | IO[bytes]) -> Iterator[Image.Image]:
    """A picture, not yet decoded, from its file or an open one, which is closed afterwards.

    Pillow does not get its name, by which it would map some files: grey TIFF on its side would be scrambled.

    Raises:
        ValueError: it says that it has more than `LIMIT` pixels.
        Exception: decoders raise anything on a damaged file; `reason` says what.
    """
    with file.open("rb") if isinstance(file, Path) else file as source:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is nearer
                image = Image.open(source)
        except Image.DecompressionBombError as error:
            raise ValueError(_TOO_LARGE) from error
        with image:
            if image.width * image.height > LIMIT:
                raise ValueError(f"{image.width:,}×{image.height:,}: {_TOO_LARGE}")
            yield image


_TOO_LARGE = f"more than {LIMIT // 10**6} million pixels"


def reason(error: Exception) -> str:
    """What an error says, in one short line."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image file, or damaged"  # Pillow repeats the name
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(words.split())[:100] or type(error).__name__


def read_image(path: Path, spec: DataSpec) -> Tensor:
    """An image file as x (*X). Its size must be the data's; grey and colour are converted, as data sets do.

    Raises:
        UserError: the file is missing, no image, damaged, or of another size.
    """
    channels, height, width = spec.x_shape
    try:
        with open_image(path) as image:
            picture = convert_image(image, "L" if channels == 1 else "RGB")
    except Exception as error:  # decoders raise anything on a damaged file
        raise UserError(f"Image {path}: {reason(error)}") from None
    if picture.size != (width, height):
        raise UserError(
            f"Image {path} is {picture.width}×{picture.height}, the run was trained on {width}×{height}: "
            "resize it first"
        )
    planes = torch.from_numpy(np.array(picture)).reshape(height, width, channels).permute(2, 0, 1)
    return from_unit(planes.float() / 255, spec.value_range or (0.0, 1.0))
