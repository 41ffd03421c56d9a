"""Tables and montages as pictures, drawn with Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from dalikit.functional.lettering import INK, PAPER, Font, block, font, plain, stack, width, wrap
from dalikit.pictures import SIDE
from dalikit.studies.render import captions, grid, protocols

if TYPE_CHECKING:
    from dalikit.studies.table import Table

SIZE = 20
"""Of letters, in pixels."""

LINE = 32
PAD = 14
TALLEST = 4000
"""Pixels beyond which a montage is made smaller: 50 rows of pictures are of no use otherwise."""

RULE, SHADE = (170, 170, 170), (242, 244, 248)


def table_picture(table: Table) -> Image.Image:
    """The table, a block for each data set, its captions and protocols below."""
    large, small = font(SIZE), font(SIZE - 5)
    blocks = [_block(dataset, *grid(table, dataset), large) for dataset in table.datasets]
    wide = max([each.width for each in blocks] + [width(table.title, large) + 2 * PAD, SIDE])
    notes = [*captions(table), *protocols(table)]
    lines = [line for text in notes for line in wrap(text, small, wide - 2 * PAD)]
    return stack([block([table.title], SIZE, wide), *blocks, block(lines, SIZE - 5, wide)])


def montage(cells: Sequence[Sequence[tuple[str, Image.Image | None]]], title: str) -> Image.Image:
    """Pictures in rows, a label above each; None leaves a frame with the label alone.

    Args:
        cells: rows of (label, picture); rows may differ in length.
        title: what stands above all.
    """
    letters = font(SIZE - 2)
    side = max(120, min(SIDE // 2, TALLEST // max(1, len(cells)) - LINE - PAD))
    columns = max((len(row) for row in cells), default=1)
    wide = max(columns * (side + PAD) + PAD, width(title, letters) + 2 * PAD)
    sheet = Image.new("RGB", (wide, LINE + PAD + len(cells) * (side + LINE + PAD)), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((PAD, PAD // 2), plain(title), INK, letters)
    for i, row in enumerate(cells):
        for j, (label, picture) in enumerate(row):
            x, y = PAD + j * (side + PAD), LINE + PAD + i * (side + LINE + PAD)
            pen.text((x, y), plain(_cut(label, letters, side)), INK, letters)
            pen.rectangle((x - 1, y + LINE - 5, x + side, y + LINE - 4 + side), outline=RULE)
            if picture is not None:
                shrunk = picture.convert("RGB")
                shrunk.thumbnail((side, side), Image.Resampling.LANCZOS)
                sheet.paste(shrunk, (x + (side - shrunk.width) // 2, y + LINE - 4))
    return sheet


def _block(dataset: str, headings: list[str], rows: list[list[str]], letters: Font) -> Image.Image:
    """One data set's lines under its name: the first column to the left, figures to the right."""
    cells = [headings, *rows]
    widths = [max(width(row[i], letters) for row in cells) + 2 * PAD for i in range(len(headings))]
    picture = Image.new("RGB", (sum(widths) + 1, LINE * (len(cells) + 1) + PAD), PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((PAD, 6), plain(dataset), INK, letters)
    for i, row in enumerate(cells):
        top = LINE * (i + 1)
        if i % 2 == 0:
            pen.rectangle((0, top, picture.width, top + LINE - 1), fill=SHADE)
        if i < 2:  # above and below the headings
            pen.line((0, top, picture.width, top), fill=RULE)
        left = 0
        for j, (text, wide) in enumerate(zip(row, widths, strict=True)):
            x = left + PAD if j == 0 else left + wide - PAD - width(text, letters)
            pen.text((x, top + 5), plain(text), INK, letters)
            left += wide
    return picture


def _cut(text: str, letters: Font, most: int) -> str:
    while text and width(text, letters) > most:
        text = text[:-1]
    return text
