"""Data as pictures: grids of images, scatter plots of 2-D points; and images read from files."""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dalikit.data.imagefiles import converted, opened, said
from dalikit.errors import RunError, UserError
from dalikit.functional.ranges import from_unit, to_unit
from dalikit.interfaces import Range, Shape

SIDE = 640
"""About how many pixels wide a picture is."""

LIMIT = 64_000_000
"""The most pixels an image file may claim to have."""


def drawable(x_shape: Shape, value_range: Range | None) -> bool:
    """Whether such data can be drawn: bounded grey or colour images, and unbounded points in the plane."""
    if value_range is None:
        return tuple(x_shape) == (2,)
    return len(x_shape) == 3 and x_shape[0] in (1, 3)


def grid(x: Tensor, value_range: Range, columns: int | None = None) -> Image.Image:
    """Images x (N, C, H, W), C being 1 or 3, in rows of `columns`, enlarged without smoothing."""
    from torchvision.utils import make_grid  # here, because it takes seconds to import

    columns = columns or math.ceil(math.sqrt(len(x)))
    pixels = to_unit(x.detach().float().cpu(), value_range).clamp(0, 1).mul(255).round().to(torch.uint8)
    sheet = make_grid(pixels, nrow=columns, padding=1, pad_value=96)
    picture = Image.fromarray(sheet.permute(1, 2, 0).numpy())
    scale = max(1, SIDE // picture.width)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def single(x: Tensor, value_range: Range) -> Image.Image:
    """One image x (C, H, W), C being 1 or 3, at its own size."""
    pixels = to_unit(x.detach().float().cpu(), value_range).clamp(0, 1).mul(255).round().to(torch.uint8)
    planes = pixels.permute(1, 2, 0).numpy()
    return Image.fromarray(planes[..., 0] if len(pixels) == 1 else planes)


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


def pairs(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Originals and reconstructions (N, *X) in turn, (2N, *X): odd places original, even ones rebuilt."""
    return torch.stack([x, reconstruction], 1).flatten(0, 1)


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture as PNG.

    Raises:
        RunError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, format="PNG")
    except OSError as error:
        raise RunError(f"Cannot write {path}: {error.strerror or error}") from None


def read_image(path: Path, x_shape: Shape, value_range: Range) -> Tensor:
    """An image file as x (*X). Its size must be the data's; grey and colour are converted, as data sets do.

    Raises:
        UserError: the file is missing, no image, damaged, or of another size.
    """
    channels, height, width = x_shape
    try:
        with opened(path) as image:
            if image.width * image.height > LIMIT:
                raise UserError(f"Image {path}: {image.width}×{image.height} pixels are too many")
            picture = converted(image, "L" if channels == 1 else "RGB")
    except UserError:
        raise
    except Exception as error:  # decoders raise anything on a damaged file
        raise UserError(f"Image {path}: {said(error)}") from None
    if picture.size != (width, height):
        raise UserError(
            f"Image {path} is {picture.width}×{picture.height}, the run was trained on {width}×{height}: "
            "resize it first"
        )
    planes = torch.from_numpy(np.array(picture)).reshape(height, width, channels).permute(2, 0, 1)
    return from_unit(planes.float() / 255, value_range)
