"""Data as pictures: grids of images and scatter plots of 2-D points, whichever the data are."""

import math
from collections.abc import Collection
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from dalikit.errors import RunError, UserError
from dalikit.files import whole_or_not
from dalikit.functional import lettering
from dalikit.functional.ranges import to_unit
from dalikit.interfaces import DataSpec, Range

SIDE = 640
"""About how many pixels wide a picture is; it is twice as high at most where images can be enlarged less."""

IMAGES, POINTS = 64, 2500
"""How many images, or points, show what a generator makes."""

FRAME, GAP = (255, 140, 0), 96
"""The colour that tells what was given from what was made, and the grey level between images."""

BLUE, GREY, LINE = (20, 60, 200), (190, 190, 190), (225, 225, 225)
"""The colours of points, of those below them, and of lines between the two."""

THIN = 24
"""Pixels of an image's shorter side for each of its frame."""

FINER = 3
"""How many times finer points are drawn than they are shown, so that they are round."""

JOINED = 200
"""Points up to which a line leads from each to its reconstruction: more are a thicket."""

LETTERS, NARROWEST = 17, 420
"""Pixels of a title's letters, and how narrow a picture with a title can be."""


def drawable(spec: DataSpec) -> bool:
    """Whether such data can be drawn: bounded grey or colour images, and unbounded points in the plane."""
    if spec.value_range is None:
        return tuple(spec.x_shape) == (2,)
    return len(spec.x_shape) == 3 and spec.x_shape[0] in (1, 3)


def check_drawable(spec: DataSpec) -> None:
    """Raise `UserError` unless such data can be drawn."""
    if not drawable(spec):
        raise UserError(f"Data of shape {spec.x_shape} cannot be drawn: --out FILE.npy or FILE.npz")


def count(spec: DataSpec, images: int = IMAGES) -> int:
    """How many data make a picture: `images`, or 2,500 points."""
    return POINTS if spec.value_range is None else images


def draw(
    x: Tensor,
    spec: DataSpec,
    reference: Tensor,
    columns: int | None = None,
    *,
    framed: Collection[int] = (),
    title: str = "",
) -> Image.Image:
    """Data x (N, *X) as a grid of images in rows of `columns`, or as points over those of `reference`.

    Args:
        x: what is drawn.
        spec: of the data.
        reference: data (M, *X) below points, which say what part of the plane is shown.
        columns: images in a row.
        framed: indices of what is given, and not made: it is told apart from the rest.
        title: what stands above, if anything is to.
    """
    if spec.value_range is None:
        return titled(scatter(x, reference, framed), title)
    return titled(grid(x, spec.value_range, columns, framed), title)


def draw_pairs(
    x: Tensor, again: Tensor, spec: DataSpec, columns: int | None = None, *, title: str = ""
) -> Image.Image:
    """Originals and reconstructions (N, *X): images in turn, the originals framed, or points and lines.

    Points are rebuilt over the originals, with a line to each where they are few.
    """
    if spec.value_range is None:
        return titled(scatter(again, x, joined=len(x) <= JOINED), title)
    together = torch.stack([x, again.to(x)], 1).flatten(0, 1)
    columns = columns or 2 * math.ceil(_squarest(together) / 2)
    return titled(grid(together, spec.value_range, columns, range(0, len(together), 2)), title)


def pairs_legend(spec: DataSpec, originals: str) -> str:
    """Which of a pair is the original, in words: `originals` says what those are."""
    if spec.value_range is None:
        return f"Grey: {originals}; blue: their reconstructions"
    return f"Framed: {originals}, each followed by its reconstruction"


def legend(spec: DataSpec, given: str, made: str) -> str:
    """By which mark what was `given` is told from what was `made`, in words."""
    if spec.value_range is None:
        return f"Ringed: {given}; blue: {made}"
    return f"Framed: {given}; the others: {made}"


def titled(picture: Image.Image, title: str) -> Image.Image:
    """The picture below a title, each of whose lines is broken where it is wider; as it is without one."""
    if not title:
        return picture
    wide, font = max(picture.width, NARROWEST), lettering.font(LETTERS)
    room = wide - 2 * lettering.PAD
    lines = [line for text in title.split("\n") for line in lettering.wrap(text, font, room)]
    return lettering.stack([lettering.block(lines, LETTERS, wide), picture])


def grid(
    x: Tensor, value_range: Range, columns: int | None = None, framed: Collection[int] = ()
) -> Image.Image:
    """Images x (N, C, H, W), C being 1 or 3, in rows of `columns`, enlarged without smoothing.

    Where no columns are given the grid is about as wide as it is high. Those whose index is in `framed` have
    a frame of their own.
    """
    from torchvision.utils import make_grid  # here, because it takes seconds to import

    columns = columns or _squarest(x)
    border = max(1, min(x.shape[2:]) // THIN) if framed else 0
    pixels = _pixels(x, value_range)
    if framed:
        pixels = _bordered(pixels, border, framed)
    sheet = make_grid(pixels, nrow=columns, padding=max(1, border), pad_value=GAP)
    picture = Image.fromarray(sheet.permute(1, 2, 0).numpy())
    scale = max(1, SIDE // max(picture.width, picture.height // 2))
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def _bordered(pixels: Tensor, border: int, framed: Collection[int]) -> Tensor:
    """Images (N, C, H, W) in colour, with `border` pixels around each: FRAME, or as the gaps between them."""
    n, _, height, width = pixels.shape
    around = torch.full((n, 3, height + 2 * border, width + 2 * border), GAP, dtype=torch.uint8)
    for i in framed:
        around[i] = torch.tensor(FRAME, dtype=torch.uint8)[:, None, None]
    around[:, :, border:-border, border:-border] = pixels
    return around


def single(x: Tensor, value_range: Range) -> Image.Image:
    """One image x (C, H, W), C being 1 or 3, at its own size."""
    planes = _pixels(x, value_range).permute(1, 2, 0).numpy()
    return Image.fromarray(planes[..., 0] if len(x) == 1 else planes)


def scatter(
    x: Tensor, reference: Tensor, framed: Collection[int] = (), *, joined: bool = False
) -> Image.Image:
    """Points x (N, 2) in blue over `reference` points (M, 2) in grey; the window is the reference's.

    The fewer points there are, the larger is each.

    Args:
        x: what is drawn.
        reference: what is drawn below.
        framed: indices of points that are drawn as rings in FRAME's colour, over the others.
        joined: whether a line leads from each point of the reference to the one of x in its place.
    """
    low, high = reference.min().item(), reference.max().item()
    margin = 0.15 * (high - low) or 1.0
    side = SIDE * FINER
    canvas = Image.new("RGB", (side, side), lettering.PAPER)
    pen = ImageDraw.Draw(canvas)

    def places(points: Tensor) -> list[tuple[float, float]]:
        unit = (points.detach().double().cpu() - (low - margin)) / (high - low + 2 * margin)
        # Far outside is as far as the edge: what draws them counts in whole numbers.
        right, up = unit.clamp(-1, 2).mul(side).unbind(1)
        return list(zip(right.tolist(), (side - up).tolist(), strict=True))

    below, own = places(reference), places(x)
    if joined:
        for start, end in zip(below, own, strict=True):
            pen.line((*start, *end), fill=LINE, width=FINER)
    _dots(pen, below, GREY, 1.3 * _radius(len(below)))
    _dots(pen, [place for i, place in enumerate(own) if i not in framed], BLUE, _radius(len(own)))
    for i in framed:
        _ring(pen, own[i], 2 * _radius(len(own)))
    pen.rectangle((0, 0, side - 1, side - 1), outline=GREY, width=FINER)
    return canvas.reduce(FINER)


def _dots(
    pen: ImageDraw.ImageDraw, places: list[tuple[float, float]], colour: lettering.Colour, radius: float
) -> None:
    r = radius * FINER
    for right, down in places:
        pen.ellipse((right - r, down - r, right + r, down + r), fill=colour)


def _ring(pen: ImageDraw.ImageDraw, place: tuple[float, float], radius: float) -> None:
    """A ring, so that what lies where it does is still seen."""
    (right, down), r = place, radius * FINER
    pen.ellipse((right - r, down - r, right + r, down + r), outline=FRAME, width=3 * FINER)


def _radius(count: int) -> float:
    """Of a point's mark, in pixels, where there are `count` of them: 2 for thousands, 6 for a few."""
    return min(6.0, max(2.0, 40 / math.sqrt(max(1, count))))


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
