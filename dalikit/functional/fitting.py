"""Pictures made alike: upright, in grey or colour of 8 bits, and of one size. What training does to each."""

from typing import Literal

import numpy as np
from PIL import ExifTags, Image, ImageCms
from pydantic import BaseModel, ConfigDict, Field

BACKGROUND = 255
"""What shows through transparency, and what is padded with: white."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What is done to an image of each EXIF orientation but 1."""

How = Literal["crop", "pad", "stretch"]
MODES = {1: "L", 3: "RGB"}
SHARPNESS = 2
"""A JPEG file may be decoded at a part of its size that is this many times the one wanted, at least."""

PIXELS, AT_ONCE = 64_000_000, 1 << 22
"""The most pixels of a picture, each of which takes 12 bytes at most; and those converted at once."""


class Fitting(BaseModel):
    """How a picture of any size and mode becomes a datum; stored with a run, so that later ones do as well.

    Attributes:
        height, width: H and W in pixels.
        channels: 1 for grey, 3 for colour.
        how: what is done where the shape is another: `crop` the middle, `pad` with white, or `stretch`.
        share: how much of the middle is left by `crop`, of the largest part of that shape.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int = Field(ge=1)
    width: int = Field(ge=1)
    channels: Literal[1, 3]
    how: How = "crop"
    share: float = Field(default=1.0, gt=0, le=1)

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W), or (H, W, 3) for colour."""
        return (self.height, self.width) if self.channels == 1 else (self.height, self.width, 3)

    @property
    def least(self) -> int:
        """The side that a JPEG file is decoded at, or the next larger one that it can be."""
        return round(SHARPNESS * max(self.height, self.width) / self.share)

    def apply(self, image: Image.Image) -> np.ndarray:
        """The picture as uint8 (H, W) or (H, W, 3), resized by Lanczos where it is of another size.

        Grey of 16 bits keeps its upper 8, white is put behind transparency, of several frames the first
        counts, and what a camera held sideways is turned upright.

        Raises:
            ValueError: it has more than `PIXELS`, cannot be had in grey or colour, or black and white of its
                numbers are not known.
        """
        # Large photographs are decoded several times faster so; what is no JPEG file yet to be decoded stays.
        image.draft(None, (self.least, self.least))
        image, size = convert_image(image, MODES[self.channels]), (self.width, self.height)
        if self.how == "crop":
            sides = (max(1, round(side * self.share)) for side in _within(size, image.size))
            image = _about_the_middle(image, *sides)
        inner = _within(image.size, size) if self.how == "pad" else size
        if image.size != inner:
            image = image.resize(inner, Image.Resampling.LANCZOS)
        return np.array(image if inner == size else _about_the_middle(image, *size))


def _within(shape: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The largest width and height within `size` that have the shape of another, within half a pixel."""
    (w, h), (width, height) = shape, size
    if width * h < height * w:
        return width, max(1, round(width * h / w))
    return max(1, round(height * w / h)), height


def _about_the_middle(image: Image.Image, width: int, height: int) -> Image.Image:
    """The image cut to a smaller size, or put on white of a larger one."""
    left, top = (image.width - width) // 2, (image.height - height) // 2
    if left >= 0 and top >= 0:
        return image.crop((left, top, left + width, top + height))
    padded = Image.new(image.mode, (width, height), (BACKGROUND,) * len(image.getbands()))
    padded.paste(image, (-left, -top))
    return padded


def convert_image(image: Image.Image, mode: str) -> Image.Image:
    """The whole image in `mode`, "L" or "RGB", upright; raises as `Fitting.apply` does."""
    image.load()  # by which Pillow turns TIFF files itself, and takes their orientation away
    check_pixels(image.size, PIXELS)  # again, for some files hold another picture than their head says
    turned = UPRIGHT.get(orientation(image))
    if image.width * image.height > AT_ONCE:
        image = _by_strips(image, mode)
    else:
        image = _plain(image, mode, image.format)
    return image if turned is None else image.transpose(turned)


def check_pixels(size: tuple[int, int], most: int) -> None:
    """Raise `ValueError` where a picture of some size (W, H) has more than so many pixels."""
    width, height = size
    if width * height > most:
        raise ValueError(f"{width:,}×{height:,}: more than {most // 10**6} million pixels")


def _by_strips(image: Image.Image, mode: str) -> Image.Image:
    """The image in `mode`, converted strip by strip: each step on the way takes as much memory again."""
    whole, rows = Image.new(mode, image.size), max(1, AT_ONCE // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(image.height, top + rows)))
        whole.paste(_plain(strip, mode, image.format), (0, top))
    return whole


def _plain(image: Image.Image, mode: str, format: str | None) -> Image.Image:
    """The image in `mode` without transparency, as it lies."""
    image = _in_bytes(image, format)
    if image.mode == "LAB":
        image = _from_lab(image)
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        image = Image.new("RGBA", image.size, (BACKGROUND,) * 4)
        image.alpha_composite(clear)
    return image.convert(mode)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height that an image, not yet decoded, has once it is upright."""
    # Pillow would decode a whole PNG file to look for an orientation behind its pixels.
    told = image.format != "PNG" or "exif" in image.info
    sideways = told and orientation(image) in (5, 6, 7, 8)
    # Of TIFF files on their side some of its versions tell the upright size already: not their tags.
    tags = getattr(image, "tag_v2", None)
    width, height = (tags[256], tags[257]) if tags else image.size
    return (height, width) if sideways else (width, height)


def orientation(image: Image.Image) -> int:
    """The image's EXIF orientation; 1, as it lies, where none is told or what tells it is damaged."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # its pixels may be sound all the same
        return 1


def _from_lab(image: Image.Image) -> Image.Image:
    lab, rgb = (ImageCms.createProfile(space) for space in ("LAB", "sRGB"))
    found = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
    assert found is not None  # None stands for a change in place
    return found


def _in_bytes(image: Image.Image, format: str | None) -> Image.Image:
    """The image, from a file of some format, with 8 bits a channel; Pillow itself would clip larger numbers.

    Raises:
        ValueError: it has floats, or whole numbers of 32 bits, of which black and white are not known.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and format == "PNG"):  # older Pillow's name
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.mode[0] in "IF":
        raise ValueError(f"pixels of mode {image.mode} have no known black and white: save it with 8 bits")
    return image
