"""Image files: of every format and mode, made worse, and bombs of each kind."""

import io
import random
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from tests.reliability.fuzzing.case import Case, Place
from tests.reliability.fuzzing.mutate import odd_file, worse

FORMATS = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "GIF": ("L", "P", "RGB"),
    "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "LAB", "YCbCr"),
    "WEBP": ("RGB", "RGBA"),
    "PPM": ("1", "L", "RGB", "I"),
    "TGA": ("L", "P", "RGB", "RGBA"),
    "ICO": ("RGBA",),
    "PCX": ("1", "L", "P", "RGB"),
    "SGI": ("L", "RGB", "RGBA"),
    "DDS": ("RGB", "RGBA"),
    "JPEG2000": ("L", "RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
    "QOI": ("RGB", "RGBA"),
    "ICNS": ("RGBA",),
    "IM": ("L", "RGB", "F"),
    "MSP": ("1",),
    "SPIDER": ("F",),
    "XBM": ("1",),
    "BLP": ("P",),
}
ENDINGS = {"JPEG": "jpg", "JPEG2000": "jp2", "SPIDER": "png", "TIFF": "tif"}


def make(rng: random.Random, place: Place) -> Case:
    """A picture, or a folder with one such picture among sound ones."""
    if rng.random() < 0.5:
        path = picture(rng, place.folder)
        command = rng.choice(("encode", "encode", "reconstruct", "vary"))
        run = place.runs[rng.choice(("digits", "colour"))]
        return Case([command, str(run), str(path), "--out", str(place.out / "a.npy")])
    folder = place.folder / "pictures"
    folder.mkdir()
    for n in range(22):
        noise = np.random.default_rng(n).integers(0, 256, (10, 10, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{n}.png")
    for _ in range(rng.choice((1, 1, 3))):
        picture(rng, folder)
    return Case(["data", str(folder), "--out", str(place.out / "a.png"), "--data-root", str(place.out)])


def picture(rng: random.Random, folder: Path) -> Path:
    """A picture at a new path in the folder; its ending may say something else."""
    kind = rng.choice(list(FORMATS))
    ending = ENDINGS.get(kind, kind.lower())
    if rng.random() < 0.1:
        ending = rng.choice(
            ("png", "jpg", "tif", "fits", "psd", "pcd", "fli", "xpm", "cur", "eps", "pdf", "heic")
        )
    path = folder / f"odd-{rng.randrange(10**9)}.{ending}"
    what = rng.random()
    if what < 0.1:
        return odd_file(rng, path)
    if what < 0.25:
        path.write_bytes(rng.choice((png_bomb, text_bomb, pnm_bomb, tiff_bomb, gif_bomb, words))(rng))
        return path
    content = sound(rng, kind)
    path.write_bytes(content if what < 0.35 else worse(rng, content))
    return path


def sound(rng: random.Random, kind: str) -> bytes:
    """A picture of a format that can be read, of any mode, size, frames and metadata."""
    mode = rng.choice(FORMATS[kind])
    size = rng.choice(((16, 16), (1, 1), (300, 2), (64, 48), (32, 32)))
    image = _noise(rng, size, mode)
    frames = {}
    if (
        kind in ("GIF", "TIFF", "WEBP", "PNG", "AVIF")
        and mode not in ("F", "I", "I;16", "LAB")
        and rng.random() < 0.3
    ):
        frames = {
            "save_all": True,
            "append_images": [_noise(rng, size, mode) for _ in range(rng.choice((2, 30)))],
        }
    more = {}
    if kind in ("PNG", "JPEG", "WEBP", "TIFF") and rng.random() < 0.3:
        exif = Image.Exif()
        exif[0x0112] = rng.choice((0, 3, 6, 8, 9, 65535))
        more["exif"] = worse(rng, exif.tobytes()) if rng.random() < 0.5 and kind != "TIFF" else exif
    if kind == "TIFF" and mode in ("L", "RGB") and rng.random() < 0.5:
        more["compression"] = rng.choice(("tiff_lzw", "tiff_deflate", "jpeg", "packbits"))
    if kind in ("PNG", "JPEG") and rng.random() < 0.2:
        more["icc_profile"] = rng.randbytes(200)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image.save(file, kind, **frames, **more)
        except Exception:  # not every mix can be written; a plain one can
            file = io.BytesIO()
            _noise(rng, (16, 16), FORMATS[kind][-1]).save(file, kind)
    return file.getvalue()


def _noise(rng: random.Random, size: tuple[int, int], mode: str) -> Image.Image:
    width, height = size
    if mode in ("I", "I;16", "F"):
        dtype = {"I": np.int32, "I;16": np.uint16, "F": np.float32}[mode]
        return Image.fromarray(
            np.frombuffer(rng.randbytes(width * height), np.uint8).reshape(height, width).astype(dtype)
        )
    colours = Image.frombytes("RGB", size, rng.randbytes(3 * width * height))
    if mode in ("LAB", "LA", "RGBA"):
        return Image.frombytes(mode, size, rng.randbytes(len(mode) * width * height))
    return colours.convert(mode)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_bomb(rng: random.Random) -> bytes:
    """A PNG whose head claims any size, with pixels that may even be there: zeros compress well."""
    side = rng.choice((11_000, 12_000, 20_000, 60_000, 2**31 - 1, 0))
    depth, colour = rng.choice(((8, 0), (8, 2), (8, 6), (1, 0), (16, 2), (16, 6)))
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, rng.randrange(2)))
    count = min(side * side, rng.choice((0, 10**6, 3 * 10**7)))
    return (
        b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", zlib.compress(bytes(count), 1)) + _chunk(b"IEND", b"")
    )


def text_bomb(rng: random.Random) -> bytes:
    """A small PNG with a text, a profile or a palette that inflates to a hundred megabytes."""
    file = io.BytesIO()
    info = PngImagePlugin.PngInfo()
    info.add_text("a", "b")
    _noise(rng, (16, 16), "L").save(file, "PNG", pnginfo=info)
    content = file.getvalue()
    many = zlib.compress(bytes(rng.choice((2 * 10**6, 10**8))), 9)
    name = rng.choice((b"zTXt", b"iCCP", b"iTXt"))
    data = b"a\0\1\0\0\0" + many if name == b"iTXt" else b"a\0\0" + many
    return content[:33] + _chunk(name, data) * rng.choice((1, 5)) + content[33:]


def pnm_bomb(rng: random.Random) -> bytes:
    """A PNM head of any size, and too little behind it; or tokens without an end."""
    side = rng.choice(
        ("11000 11000", "20000 20000", "9" * 30 + " 1", "1 " + "9" * 5000, "-1 -1", "0 0", "2147483647 2")
    )
    return (
        f"P{rng.randrange(1, 8)}\n{side}\n{rng.choice(('255', '65535', '1', '9' * 20, ''))}\n".encode()
        + bytes(100)
    )


def tiff_bomb(rng: random.Random) -> bytes:
    """A TIFF of any size, with strips and tags that lie."""
    side = rng.choice((11_000, 20_000, 2**31, 1))
    tags = [
        (256, 4, 1, side),
        (257, 4, 1, side),
        (258, 3, 1, 8),
        (259, 3, 1, rng.choice((1, 5, 8, 7, 32773))),
        (262, 3, 1, rng.randrange(0, 9)),
        (273, 4, rng.choice((1, 2**31)), 8),
        (277, 3, 1, rng.choice((1, 3, 4, 60000))),
        (278, 4, 1, side),
        (279, 4, rng.choice((1, 2**31)), rng.choice((100, 2**32 - 1))),
    ]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    again = rng.choice((0, 8))  # the next directory, which may be this one
    return (
        b"II*\0"
        + struct.pack("<I", 8)
        + struct.pack("<H", len(tags))
        + entries
        + struct.pack("<I", again)
        + bytes(100)
    )


def gif_bomb(rng: random.Random) -> bytes:
    """A GIF whose screen and frame claim up to 65535 a side."""
    w, h = rng.choice(((65535, 65535), (65535, 1), (11_000, 11_000), (0, 0)))
    frame = b"," + struct.pack("<HHHHB", 0, 0, w, h, 0) + b"\x08\x02\x44\x01\x00"
    return (
        b"GIF89a" + struct.pack("<HHBBB", w, h, 0x80, 0, 0) + bytes(6) + frame * rng.choice((1, 2000)) + b";"
    )


def words(rng: random.Random) -> bytes:
    """Text where a picture is meant: formats that are read as text, and PostScript."""
    many = rng.choice((1, 10_000))
    return rng.choice(
        (
            b"#define im_width 20000\n#define im_height 20000\nstatic char im_bits[] = {" + b"0x00," * many,
            b'/* XPM */\nstatic char *a[] = {\n"20000 20000 2 1",\n' + b'"a c #ffffff",\n' * many,
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch x) (w) file\n" * many,
            b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =                    8".ljust(80) * many,
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"Image type: RGB\r\nImage size (x*y): 20000*20000\r\n".ljust(511) + b"\x1a",
        )
    )
