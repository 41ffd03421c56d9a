"""Code of an export's README: data made ready by numpy and Pillow alone, and what comes out shown.

It does what `Inputs` and `Fitting` do to pictures of 8 bits and to vectors, written for one run.
"""

from collections.abc import Iterator, Sequence

from dalikit.data.inputs import Inputs
from dalikit.exporting.parts import Part
from dalikit.functional.fitting import MODES, Fitting
from dalikit.interfaces import Range


def imports(code: str, own: Sequence[str]) -> Iterator[str]:
    """The imports of some code, a format's `own` among them: the standard library's, then all others."""
    if "Path(" in code:
        yield from ("import json", "from pathlib import Path", "")
    pillow = [name for name in ("Image", "ImageOps") if f"{name}." in code]
    others = ["import numpy as np", *([f"from PIL import {', '.join(pillow)}"] if pillow else []), *own]
    yield from sorted(others, key=lambda line: (line.startswith("from"), line.lower()))


def prepare(inputs: Inputs) -> Iterator[str]:
    """Lines of a function `prepare`, which makes x of a picture, or of rows of numbers."""
    fitting, bounds = inputs.pictures, inputs.spec.value_range
    if fitting is not None and bounds is not None:
        yield from _pictures(fitting, bounds)
    else:
        yield from _rows(inputs)


def before(part: Part, inputs: Inputs) -> Iterator[str]:
    """Lines that make what a part takes."""
    first, *labels = part.inputs
    shape = ", ".join(map(str, (8, *first.shape)))
    if first.name == "z":
        yield f"z = np.random.default_rng(0).standard_normal(({shape})).astype(np.float32)"
    elif inputs.pictures is not None:
        yield 'x = prepare(Image.open("picture.png"))'
    else:
        yield f"x = prepare(np.zeros(({shape})))  # your own in their place"
    for port in labels:
        name = (inputs.spec.classes or ("",))[0]
        yield f"{port.name} = np.zeros(len({first.name}), dtype=np.int64)  # all {name}"


def after(part: Part, inputs: Inputs) -> Iterator[str]:
    """Lines that show what a part has given."""
    made, bounds = part.outputs[-1].name, inputs.spec.value_range
    if part.name == "encoder":
        yield "print(code.shape)"
    elif inputs.pictures is not None and bounds is not None:
        low, high = bounds
        one = "[0, 0]" if inputs.pictures.channels == 1 else "[0].transpose(1, 2, 0)"
        yield f"pixels = (({made}{_plus(-low)}) * {255 / (high - low)}).round().clip(0, 255).astype(np.uint8)"
        yield f'Image.fromarray(pixels{one}).save("{part.name}.png")'
    elif inputs.standardization is not None:
        yield 'mean, divisor = json.loads(Path("export.json").read_text())["data"]["standardization"]'
        yield f"print({made} * divisor + mean)"
    else:
        yield f"print({made})"


def _plus(number: float) -> str:
    """What adds a number to what stands before it."""
    return f" {'-' if number < 0 else '+'} {abs(number)}" if number else ""


def _rows(inputs: Inputs) -> Iterator[str]:
    shape = ", ".join(map(str, ("B", *inputs.spec.x_shape)))
    yield from ("def prepare(rows):", f'    """Data ({shape}) as x, as training has them."""')
    if inputs.standardization is not None:
        yield '    mean, divisor = json.loads(Path("export.json").read_text())["data"]["standardization"]'
        yield "    rows = (rows - np.array(mean)) / divisor"
    if inputs.float_range is not None and inputs.spec.value_range is not None:
        (least, most), (low, high) = inputs.float_range, inputs.spec.value_range
        yield f"    rows = (rows{_plus(-least)}) * {(high - low) / (most - least)}{_plus(low)}"
    yield "    return rows.astype(np.float32)"


def _pictures(fitting: Fitting, bounds: Range) -> Iterator[str]:
    (low, high), channels = bounds, fitting.channels
    yield from (
        "def prepare(picture):",
        f'    """A picture as x (1, {channels}, {fitting.height}, {fitting.width}), as training has them."""',
        '    picture = ImageOps.exif_transpose(picture).convert("RGBA")',
        '    white = Image.new("RGBA", picture.size, "white")',
        f'    picture = Image.alpha_composite(white, picture).convert("{MODES[channels]}")',
    )
    yield from (f"    {line}" for line in _FITTED[fitting.how](fitting))
    axes = "[None, None]" if channels == 1 else ".transpose(2, 0, 1)[None]"
    yield f"    x = np.array(picture, dtype=np.float32){axes}"
    yield f"    return (x / {255 / (high - low)}{_plus(low)}).astype(np.float32)"


def _cropped(fitting: Fitting) -> Iterator[str]:
    share = "" if fitting.share == 1 else f" * {fitting.share}"
    yield f"scale = min(picture.width / {fitting.width}, picture.height / {fitting.height})"
    for name, side in (("width", fitting.width), ("height", fitting.height)):
        whole = f"round({side} * scale)"
        yield f"{name} = max(1, {whole if not share else f'round({whole}{share})'})"
    yield "left, top = (picture.width - width) // 2, (picture.height - height) // 2"
    yield "picture = picture.crop((left, top, left + width, top + height))"
    yield from _stretched(fitting)


def _padded(fitting: Fitting) -> Iterator[str]:
    width, height = fitting.width, fitting.height
    background = "white" if fitting.channels == 3 else 255
    yield f"scale = min({width} / picture.width, {height} / picture.height)"
    yield "size = [max(1, round(side * scale)) for side in picture.size]"
    yield "picture = picture.resize(size, Image.Resampling.LANCZOS)"
    yield f"left, top = (picture.width - {width}) // 2, (picture.height - {height}) // 2"
    yield f"picture, inner = Image.new(picture.mode, ({width}, {height}), {background!r}), picture"
    yield "picture.paste(inner, (-left, -top))"


def _stretched(fitting: Fitting) -> Iterator[str]:
    yield f"picture = picture.resize(({fitting.width}, {fitting.height}), Image.Resampling.LANCZOS)"


_FITTED = {"crop": _cropped, "pad": _padded, "stretch": _stretched}
