"""Text on pictures, in the one font that Pillow brings along."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int]

INK, PAPER = (25, 25, 25), (255, 255, 255)

LACKING = str.maketrans({"×": "x", "²": "^2", "σ": "sigma", "λ": "lambda", "μ": "mu", "–": "-"})
"""Letters that Pillow's own font lacks, and what stands for them."""

PAD, LEADING = 14, 1.3
"""Pixels beside text, and a line's height in letters."""


def font(size: int) -> Font:
    """Pillow's own font, its letters `size` pixels high."""
    return ImageFont.load_default(size)


def plain(text: str) -> str:
    """The text in the letters that Pillow's own font has."""
    return text.translate(LACKING)


def width(text: str, font: Font) -> int:
    """How many pixels wide a line of text is."""
    return round(font.getlength(plain(text)))


def wrap(text: str, font: Font, most: int) -> list[str]:
    """The text in lines no wider than `most` pixels, broken at spaces."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width(longer, font) > most:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def block(lines: Sequence[str], size: int, wide: int, ink: Colour = INK) -> Image.Image:
    """Lines of text with letters of `size` pixels, on a white block `wide` pixels wide."""
    step = round(LEADING * size)
    picture = Image.new("RGB", (wide, step * len(lines) + PAD), PAPER)
    pen = ImageDraw.Draw(picture)
    for i, line in enumerate(lines):
        pen.text((PAD, PAD // 2 + i * step), plain(line), ink, font(size))
    return picture


def stack(parts: Sequence[Image.Image]) -> Image.Image:
    """Pictures, each below the one before, on white as wide as the widest."""
    sheet = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), PAPER)
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet
