"""Tables and montages as pictures, drawn with Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

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

INK, RULE, PAPER, SHADE = (25, 25, 25), (170, 170, 170), (255, 255, 255), (242, 244, 248)

LACKING = str.maketrans({"×": "x", "²": "^2", "σ": "sigma", "λ": "lambda", "μ": "mu", "–": "-"})
"""Letters that Pillow's own font lacks, and what stands for them."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def table_picture(table: Table) -> Image.Image:
    """The table, a block for each data set, its captions and protocols below."""
    font, small = ImageFont.load_default(SIZE), ImageFont.load_default(SIZE - 5)
    blocks = [_block(dataset, *grid(table, dataset), font) for dataset in table.datasets]
    width = max([block.width for block in blocks] + [_width(table.title, font) + 2 * PAD, SIDE])
    notes = [*captions(table), *protocols(table)]
    lines = [line for text in notes for line in _wrap(text, small, width - 2 * PAD)]
    foot = _text(lines, small, width)
    return _stack([_text([table.title], font, width), *blocks, foot], width)


def montage(cells: Sequence[Sequence[tuple[str, Image.Image | None]]], title: str) -> Image.Image:
    """Pictures in rows, a label above each; None leaves a frame with the label alone.

    Args:
        cells: rows of (label, picture); rows may differ in length.
        title: what stands above all.
    """
    font = ImageFont.load_default(SIZE - 2)
    side = max(120, min(SIDE // 2, TALLEST // max(1, len(cells)) - LINE - PAD))
    columns = max((len(row) for row in cells), default=1)
    width = max(columns * (side + PAD) + PAD, _width(title, font) + 2 * PAD)
    sheet = Image.new("RGB", (width, LINE + PAD + len(cells) * (side + LINE + PAD)), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((PAD, PAD // 2), title, INK, font)
    for i, row in enumerate(cells):
        for j, (label, picture) in enumerate(row):
            x, y = PAD + j * (side + PAD), LINE + PAD + i * (side + LINE + PAD)
            pen.text((x, y), _cut(label, font, side), INK, font)
            pen.rectangle((x - 1, y + LINE - 5, x + side, y + LINE - 4 + side), outline=RULE)
            if picture is not None:
                shrunk = picture.convert("RGB")
                shrunk.thumbnail((side, side), Image.Resampling.LANCZOS)
                sheet.paste(shrunk, (x + (side - shrunk.width) // 2, y + LINE - 4))
    return sheet


def _block(dataset: str, headings: list[str], rows: list[list[str]], font: Font) -> Image.Image:
    """One data set's lines under its name: the first column to the left, figures to the right."""
    cells = [headings, *rows]
    widths = [max(_width(row[i], font) for row in cells) + 2 * PAD for i in range(len(headings))]
    picture = Image.new("RGB", (sum(widths) + 1, LINE * (len(cells) + 1) + PAD), PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((PAD, 6), dataset, INK, font)
    for i, row in enumerate(cells):
        top = LINE * (i + 1)
        if i % 2 == 0:
            pen.rectangle((0, top, picture.width, top + LINE - 1), fill=SHADE)
        if i < 2:  # above and below the headings
            pen.line((0, top, picture.width, top), fill=RULE)
        left = 0
        for j, (text, wide) in enumerate(zip(row, widths, strict=True)):
            x = left + PAD if j == 0 else left + wide - PAD - _width(text, font)
            pen.text((x, top + 5), text, INK, font)
            left += wide
    return picture


def _text(lines: Sequence[str], font: Font, width: int) -> Image.Image:
    picture = Image.new("RGB", (width, (LINE - 6) * len(lines) + PAD), PAPER)
    pen = ImageDraw.Draw(picture)
    for i, line in enumerate(lines):
        pen.text((PAD, PAD // 2 + i * (LINE - 6)), _plain(line), INK, font)
    return picture


def _stack(parts: Sequence[Image.Image], width: int) -> Image.Image:
    sheet = Image.new("RGB", (width, sum(part.height for part in parts)), PAPER)
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def _plain(text: str) -> str:
    """The text in the letters that Pillow's own font has."""
    return text.translate(LACKING)


def _width(text: str, font: Font) -> int:
    return round(font.getlength(text))


def _cut(text: str, font: Font, width: int) -> str:
    while text and _width(text, font) > width:
        text = text[:-1]
    return text


def _wrap(text: str, font: Font, width: int) -> list[str]:
    """The text in lines no wider than `width`, broken at spaces."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _width(longer, font) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
