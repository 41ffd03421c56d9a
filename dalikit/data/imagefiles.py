"""Image files: opened with care, and what is wrong with broken ones."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

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
