"""Data as pictures: grids of images and scatter plots of 2-D points, whichever the data are."""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dalikit.errors import RunError, UserError
from dalikit.files import whole_or_not
from dalikit.functional.ranges import to_unit
from dalikit.interfaces import DataSpec, Range

SIDE = 640
"""About how many pixels wide a picture is; it is twice as high at most where images can be enlarged less."""

IMAGES, POINTS = 64, 2500
"""How many images, or points, show what a generator makes."""


def drawable(spec: DataSpec) -> bool:
    """Whether such data can be drawn: bounded grey or colour images, and unbounded points in the plane."""
    if spec.value_range is None:
        return tuple(spec.x_shape) == (2,)
    return len(spec.x_shape) == 3 and spec.x_shape[0] in (1, 3)


def check_drawable(spec: DataSpec) -> None:
    """Raise `UserError` unless such data can be drawn."""
    if not drawable(spec):
        raise UserError(f"Data of shape {spec.x_shape} cannot be drawn: write .npy or .npz")


def count(spec: DataSpec, images: int = IMAGES) -> int:
    """How many data make a picture: `images`, or 2,500 points."""
    return POINTS if spec.value_range is None else images


def draw(x: Tensor, spec: DataSpec, reference: Tensor, columns: int | None = None) -> Image.Image:
    """Data x (N, *X) as a grid of images in rows of `columns`, or as points over those of `reference`."""
    if spec.value_range is None:
        return scatter(x, reference)
    return grid(x, spec.value_range, columns)


def draw_pairs(x: Tensor, again: Tensor, spec: DataSpec, columns: int | None = None) -> Image.Image:
    """Originals and reconstructions (N, *X): images in turn, or points rebuilt over the originals."""
    if spec.value_range is None:
        return scatter(again, x)
    together = torch.stack([x, again.to(x)], 1).flatten(0, 1)
    return grid(together, spec.value_range, columns or 2 * math.ceil(_squarest(together) / 2))


def grid(x: Tensor, value_range: Range, columns: int | None = None) -> Image.Image:
    """Images x (N, C, H, W), C being 1 or 3, in rows of `columns`, enlarged without smoothing.

    Where no columns are given the grid is about as wide as it is high.
    """
    from torchvision.utils import make_grid  # here, because it takes seconds to import

    columns = columns or _squarest(x)
    sheet = make_grid(_pixels(x, value_range), nrow=columns, padding=1, pad_value=96)
    picture = Image.fromarray(sheet.permute(1, 2, 0).numpy())
    scale = max(1, SIDE // max(picture.width, picture.height // 2))
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def single(x: Tensor, value_range: Range) -> Image.Image:
    """One image x (C, H, W), C being 1 or 3, at its own size."""
    planes = _pixels(x, value_range).permute(1, 2, 0).numpy()
    return Image.fromarray(planes[..., 0] if len(x) == 1 else planes)


def scatter(x: Tensor, reference: Tensor) -> Image.Image:
    """Points x (N, 2) in blue over `reference` points (M, 2) in grey; the window is the reference's."""
    low, high = reference.min().item(), reference.max().item()
    margin = 0.15 * (high - low)
    canvas = np.full((SIDE, SIDE, 3), 255, dtype=np.uint8)
    for points, colour in ((reference, (190, 190, 190)), (x, (20, 60, 200))):
        unit = (points.detach().float().cpu() - (low - margin)) / (high - low + 2 * margin)
        pixel = (unit * (SIDE - 2)).round()
        inside = ((pixel >= 0) & (pixel <= SIDE - 2)).all(1)
        column, row = pixel[inside].long().unbind(1)
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
            canvas[SIDE - 2 - row.numpy() + down, column.numpy() + right] = colour
    return Image.fromarray(canvas)


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture as PNG, whole or not at all.

    Raises:
        RunError: the file cannot be written.
    """
    try:
        with whole_or_not(path) as unfinished:
            picture.save(unfinished, format="PNG")
    except OSError as error:
        raise RunError(f"Cannot write {path}: {error.strerror or error}") from None


def _squarest(x: Tensor) -> int:
    """How many columns of images x (N, C, H, W) make a grid that is about as wide as it is high."""
    return min(len(x), math.ceil(math.sqrt(len(x) * x.shape[2] / x.shape[3])))


def _pixels(x: Tensor, value_range: Range) -> Tensor:
    return to_unit(x.detach().float().cpu(), value_range).clamp(0, 1).mul(255).round().to(torch.uint8)
