"""An item of a torch data set as a tensor and a label: it may be a tensor, an array, a picture or a tuple.

Symbols: X the shape of one datum; images are (C, H, W).
"""

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dalikit.errors import UnfitError

CHANNELS = (1, 3, 4)
"""How many channels tell an image's channel dimension from its sides."""

MODES = {"1": "L", "P": "RGB", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB"}
"""Modes of PIL whose numbers are no brightness, and what they are converted to."""


def datum(item: Any) -> Tensor:
    """The x (*X) of an item, uint8 or floats: the item itself, or the first of a tuple.

    A matrix is a grey image. An array, or a uint8 tensor, of three dimensions is an image whose channels are
    the dimension of 1, 3 or 4; where both ends could be, an array's are last and a tensor's first.

    Raises:
        UnfitError: it is something else, or of another type of number.
    """
    x = item[0] if isinstance(item, tuple | list) and item else item
    if isinstance(x, Image.Image):
        x = np.array(x.convert(MODES.get(x.mode, x.mode)))
    last = isinstance(x, np.ndarray)
    if last:
        x = _from_numpy(x)
    if not isinstance(x, Tensor) or not x.dim():
        raise UnfitError(f"is {type(x).__name__}; a tensor, a picture, an array or a tuple of one is needed")
    if x.dtype != torch.uint8 and not x.is_floating_point():
        raise UnfitError(f"is {x.dtype}; uint8 or floats are needed")
    if x.dim() == 2:
        return x[None]
    return _channels_first(x, last) if x.dim() == 3 and (last or x.dtype == torch.uint8) else x


def label(item: Any) -> int | None:
    """The label of an item: the whole number that is second in a tuple, or None."""
    found = item[1] if isinstance(item, tuple | list) and len(item) > 1 else None
    if isinstance(found, Tensor):
        found = found.numpy(force=True)
    if isinstance(found, np.ndarray | np.generic) and found.size == 1 and found.dtype.kind in "iu":
        return int(found.item())
    return found if type(found) is int else None


def _from_numpy(array: np.ndarray) -> Tensor:
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise UnfitError(f"is {array.dtype}; uint8 or floats are needed")
    # Neither negative strides nor another byte order nor read-only memory are torch's affair.
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))


def _channels_first(x: Tensor, last: bool) -> Tensor:
    first_fits, last_fits = x.shape[0] in CHANNELS, x.shape[2] in CHANNELS
    return x.permute(2, 0, 1) if last_fits and (last or not first_fits) else x
