"""Image files: opened with care, and what is wrong with broken ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from dalikit.data.fitting import convert_image
from dalikit.errors import UserError
from dalikit.functional.ranges import from_unit
from dalikit.interfaces import DataSpec

LIMIT = 64_000_000
"""The most pixels an image file may claim to have."""


@contextmanager
def open_image(file: Path) -> Iterator[Image.Image]:
    """An image file, not yet decoded.

    Pillow does not get its name, by which it would map some files: grey TIFF on its side would be scrambled.
    """
    with file.open("rb") as source, Image.open(source) as image:
        yield image


def fault(file: Path, mode: str) -> str | None:
    """Why an image file cannot be had in `mode`, or None.

    It is decoded whole and converted, for a torn one opens well enough, and not every mode leads to another.
    """
    try:
        with open_image(file) as image:
            convert_image(image, mode)
    except Exception as error:  # decoders raise anything on a damaged file, and each is told of by name
        return reason(error)
    return None


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
            if image.width * image.height > LIMIT:
                raise UserError(f"Image {path}: {image.width}×{image.height} pixels are too many")
            picture = convert_image(image, "L" if channels == 1 else "RGB")
    except UserError:
        raise
    except Exception as error:  # decoders raise anything on a damaged file
        raise UserError(f"Image {path}: {reason(error)}") from None
    if picture.size != (width, height):
        raise UserError(
            f"Image {path} is {picture.width}×{picture.height}, the run was trained on {width}×{height}: "
            "resize it first"
        )
    planes = torch.from_numpy(np.array(picture)).reshape(height, width, channels).permute(2, 0, 1)
    return from_unit(planes.float() / 255, spec.value_range or (0.0, 1.0))
