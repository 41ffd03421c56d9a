"""Image files: fitted to a size, with 8 bits a channel; what is wrong with broken ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError
from torch import Tensor

from dalikit.errors import UserError
from dalikit.functional.ranges import from_unit
from dalikit.interfaces import DataSpec

LIMIT = 64_000_000
"""The most pixels an image file may claim to have."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What is done to an image of each EXIF orientation but 1."""


@contextmanager
def open_image(file: Path) -> Iterator[Image.Image]:
    """An image file, not yet decoded.

    Pillow does not get its name, by which it would map some files: grey TIFF on its side would be scrambled.
    """
    with file.open("rb") as source, Image.open(source) as image:
        yield image


def fit_image(image: Image.Image, size: int, mode: str, crop: int | None = None) -> np.ndarray:
    """The centred square of side `crop` of an image, the largest unless told, resized to `size` by Lanczos.

    `mode` is "L" or "RGB"; the result is uint8 (size, size) or (size, size, 3). Grey of 16 bits keeps its
    upper 8, transparency is dropped, of several frames the first counts, and what a camera held sideways is
    turned upright.

    Raises:
        ValueError: it cannot be had in `mode`, or black and white of its numbers are not known.
    """
    image = convert_image(image, mode)
    side = crop or min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square if side == size else square.resize((size, size), Image.Resampling.LANCZOS))


def convert_image(image: Image.Image, mode: str) -> Image.Image:
    """The whole image in `mode`, "L" or "RGB", upright; raises as `fitted` does."""
    image.load()  # by which Pillow turns TIFF files itself, and takes their orientation away
    turned = UPRIGHT.get(orientation(image))
    image = in_bytes(image)
    if image.mode == "LAB":
        image = _from_lab(image)
    image = image.convert(mode)
    return image if turned is None else image.transpose(turned)


def orientation(image: Image.Image) -> int:
    """The image's EXIF orientation; 1, as it lies, where none is told or what tells it is damaged."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # its pixels may be sound all the same
        return 1


def _from_lab(image: Image.Image) -> Image.Image:
    lab, rgb = (ImageCms.createProfile(space) for space in ("LAB", "sRGB"))
    found = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
    assert found is not None  # None stands for a change in place
    return found


def in_bytes(image: Image.Image) -> Image.Image:
    """The image with 8 bits a channel; Pillow itself would clip larger numbers, and call it a conversion.

    Raises:
        ValueError: it has floats, or whole numbers of 32 bits, of which black and white are not known.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):  # older Pillow's name
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.mode[0] in "IF":
        raise ValueError(f"pixels of mode {image.mode} have no known black and white: save it with 8 bits")
    return image.convert("RGBA") if image.mode == "P" and "transparency" in image.info else image


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
