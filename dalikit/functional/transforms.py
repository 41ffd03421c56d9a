"""Images moved and recoloured, each in its own way: pure maths on x (B, C, H, W), differentiable in x.

All is made of sums, products and gathers, so that it can be derived twice, as penalties on gradients ask;
`grid_sample` can in the newest torch alone. Nothing reads a tensor's value back.

A point is (column, row) in pixels from an image's centre, as a homogeneous vector; a map of the plane is its
matrix (B, 3, 3). No matrix product is used, for those may run in a precision too low for places.
"""

import math
from functools import reduce

import torch
from torch import Tensor

from dalikit.errors import UnfitError


def image_range(
    name: str, x_shape: tuple[int, ...], value_range: tuple[float, float] | None
) -> tuple[float, float]:
    """The value range of data that are images (C, H, W).

    Raises:
        UnfitError: they are no images, or unbounded; the text says that augmentation `name` wants them.

    Examples:
        >>> image_range("toy", (1, 8, 8), (0.0, 1.0))
        (0.0, 1.0)
    """
    if len(x_shape) != 3 or value_range is None:
        what = f"{x_shape}" if len(x_shape) != 3 else f"{x_shape} without a range"
        raise UnfitError(
            f"Augmentation '{name}' works on images (C, H, W) with a value range, not on data {what}"
        )
    return value_range


def to_signed(x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Map x from `value_range` to [-1, 1].

    Examples:
        >>> to_signed(torch.tensor([0.0, 0.5, 1.0]), (0.0, 1.0))
        tensor([-1.,  0.,  1.])
    """
    low, high = value_range
    return (x - (low + high) / 2) / ((high - low) / 2)


def from_signed(x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Map x from [-1, 1] to `value_range`, the inverse of `signed`."""
    low, high = value_range
    return x * ((high - low) / 2) + (low + high) / 2


def each(amount: Tensor) -> Tensor:
    """An amount (B,) for each image, as (B, 1, 1, 1)."""
    return amount[:, None, None, None]


def spread(x: Tensor, centre: Tensor, factor: Tensor) -> Tensor:
    """x with its differences from a centre (broadcast to x) scaled by `factor` (B,)."""
    return centre + each(factor) * (x - centre)


def luma(x: Tensor) -> Tensor:
    """The mean over channels (B, 1, H, W): where on the axis of greys a colour lies."""
    return x.mean(1, keepdim=True)


def turn_hue(x: Tensor, angle: Tensor) -> Tensor:
    """Colours (B, 3, H, W) turned by `angle` (B,) about the axis of greys, by Rodrigues' formula."""
    grey = luma(x)
    chroma = x - grey
    across = (chroma.roll(1, 1) - chroma.roll(-1, 1)) / math.sqrt(3)
    return grey + each(angle.cos()) * chroma + each(angle.sin()) * across


def pixels(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The pixels (B, C, H', W') of x at int64 rows and columns within it, which broadcast to (B, H', W')."""
    places = rows * x.shape[3] + columns
    index = places.flatten(1)[:, None].expand(-1, x.shape[1], -1)
    return x.flatten(2).gather(2, index).unflatten(2, places.shape[1:])


def grid(x: Tensor) -> tuple[Tensor, Tensor]:
    """The rows (H, 1) and the columns (W,) of x, int64."""
    height, width = x.shape[2:]
    return torch.arange(height, device=x.device)[:, None], torch.arange(width, device=x.device)


def shift(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """x moved by whole pixels, int64 (B,) each; what comes in from outside is 0."""
    height, width = x.shape[2:]
    rows, columns = grid(x)
    rows, columns = rows - down[:, None, None], columns - right[:, None, None]
    outside = (rows < 0) | (rows >= height) | (columns < 0) | (columns >= width)
    moved = pixels(x, rows.clamp(0, height - 1), columns.clamp(0, width - 1))
    return moved.masked_fill(outside[:, None], 0)


def erase(x: Tensor, top: Tensor, left: Tensor, height: int, width: int) -> Tensor:
    """x with 0 in a rectangle from int64 `top`, `left` (B,) on; what reaches over the border is lost."""
    rows, columns = grid(x)
    rows, columns = rows - top[:, None, None], columns - left[:, None, None]
    hit = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return x.masked_fill(hit[:, None], 0)


def plane(*entries: Tensor) -> Tensor:
    """The map (B, 3, 3) whose upper two rows are the six entries (B,)."""
    nought = torch.zeros_like(entries[0])
    return torch.stack((*entries, nought, nought, nought + 1), -1).unflatten(-1, (3, 3))


def scaling(x: Tensor, y: Tensor) -> Tensor:
    """The map (B, 3, 3) that stretches columns by x (B,) and rows by y (B,)."""
    nought = torch.zeros_like(x)
    return plane(x, nought, nought, nought, y, nought)


def rotation(angle: Tensor) -> Tensor:
    """The map (B, 3, 3) that turns by `angle` (B,), from columns towards rows: clockwise on a screen."""
    nought, cos, sin = torch.zeros_like(angle), angle.cos(), angle.sin()
    return plane(cos, -sin, nought, sin, cos, nought)


def translation(right: Tensor, down: Tensor) -> Tensor:
    """The map (B, 3, 3) that moves by so many pixels (B,)."""
    nought = torch.zeros_like(right)
    return plane(nought + 1, nought, right, nought, nought + 1, down)


def compose(*maps: Tensor) -> Tensor:
    """The product (B, 3, 3) of maps (B, 3, 3): the last one acts first."""
    return reduce(lambda after, before: (after.unsqueeze(-1) * before.unsqueeze(-3)).sum(-2), maps)


def reflect(place: Tensor, size: int) -> Tensor:
    """Places (any shape) mirrored at the outer pixels' centres until they lie in [0, size - 1].

    Examples:
        >>> reflect(torch.tensor([-1.0, 0.5, 4.0, 9.0]), 4)
        tensor([1.0000, 0.5000, 2.0000, 3.0000])
    """
    last = size - 1
    turned = torch.remainder(place, max(2 * last, 1))
    return (last - (turned - last).abs()).clamp(0, last)


def bilinear(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """x between its pixels, (B, C, H', W'), at rows in [0, H - 1] and columns in [0, W - 1], (B, H', W')."""
    top, left = rows.long(), columns.long()
    bottom, right = (top + 1).clamp(max=x.shape[2] - 1), (left + 1).clamp(max=x.shape[3] - 1)
    down = (rows - top)[:, None].to(x.dtype)
    across = (columns - left)[:, None].to(x.dtype)
    above = torch.lerp(pixels(x, top, left), pixels(x, top, right), across)
    below = torch.lerp(pixels(x, bottom, left), pixels(x, bottom, right), across)
    return torch.lerp(above, below, down)


def warp(x: Tensor, inverse: Tensor) -> Tensor:
    """x under a map of the plane whose inverse (B, 3, 3) is given: bilinear, mirrored beyond the border."""
    height, width = x.shape[2:]
    down, right = (height - 1) / 2, (width - 1) / 2
    rows, columns = grid(x)
    entries = inverse[..., None, None]
    across, along = (
        entries[:, i, 0] * (columns - right) + entries[:, i, 1] * (rows - down) + entries[:, i, 2]
        for i in (0, 1)
    )
    return bilinear(x, reflect(along + down, height), reflect(across + right, width))
