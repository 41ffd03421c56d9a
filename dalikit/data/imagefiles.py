"""Image files: opened with care, and what is wrong with broken ones."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from dalikit.errors import shortened
from dalikit.functional.fitting import PIXELS, check_pixels
from dalikit.plainfiles import open_plain

NO_PICTURES = ("EPS", "MPEG", "BUFR", "GRIB", "HDF5", "WMF")
"""What Pillow knows without reading pixels; or, PostScript, by running Ghostscript on it."""

JPEG_PIXELS = 128_000_000
"""The most pixels that a JPEG file may claim to have, which is decoded at a part of its size."""

# What Pillow logs of a file it raises as well; where nobody listens Python would print it.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@contextmanager
def open_image(file: Path | IO[bytes]) -> Iterator[Image.Image]:
    """A picture, not yet decoded, from its file or an open one, which is closed afterwards.

    Pillow does not get its name, by which it would map some files: grey TIFF on its side would be scrambled.

    Raises:
        ValueError: it says that it has more than `PIXELS`, or `JPEG_PIXELS`.
        Exception: decoders raise anything on a damaged file; `reason` says what.
    """
    with open_plain(file) if isinstance(file, Path) else file as source:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is nearer
                image = Image.open(source, formats=_formats())
        except Image.DecompressionBombError as error:
            raise ValueError(f"more than {PIXELS // 10**6} million pixels") from error
        with image:
            check_pixels(image.size, JPEG_PIXELS if isinstance(image, JpegImageFile) else PIXELS)
            yield image


@cache
def _formats() -> tuple[str, ...]:
    """The formats that are read whatever a file is called: PostScript goes by any name."""
    Image.init()
    return tuple(name for name in Image.ID if name not in NO_PICTURES)


def reason(error: Exception) -> str:
    """What an error says, in one short line."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image file, or damaged"  # Pillow repeats the name
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return shortened(words, 100) or type(error).__name__
