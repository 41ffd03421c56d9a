"""Image files: fitted to a size, with 8 bits a channel; what is wrong with broken ones."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError


def fitted(image: Image.Image, size: int, mode: str, crop: int | None = None) -> np.ndarray:
    """The centred square of side `crop` of an image, the largest unless told, resized to `size` by Lanczos.

    `mode` is "L" or "RGB"; the result is uint8 (size, size) or (size, size, 3). Grey of 16 bits keeps its
    upper 8, transparency is dropped, and of several frames the first counts.

    Raises:
        ValueError: the pixels are numbers of which black and white are not known.
    """
    image = in_bytes(image)
    side = crop or min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.convert(mode).crop((left, top, left + side, top + side))
    return np.asarray(square if side == size else square.resize((size, size), Image.Resampling.LANCZOS))


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


def fault(file: Path) -> str | None:
    """Why an image file cannot be used, or None: it is decoded whole, for a torn one opens well enough."""
    try:
        with Image.open(file) as image:
            image.load()
            in_bytes(image)
    except Exception as error:  # decoders raise anything on a damaged file, and each is told of by name
        return said(error)
    return None


def said(error: Exception) -> str:
    """What an error says, in one short line."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image file, or damaged"  # Pillow repeats the name
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(words.split())[:100] or type(error).__name__
