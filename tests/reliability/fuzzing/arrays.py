"""Files of arrays: headers that lie, objects, bombs, and archives made worse."""

import io
import pickle
import random
import struct
import zipfile
from pathlib import Path

import numpy as np

from tests.reliability.fuzzing.case import Case, Place, run_code
from tests.reliability.fuzzing.mutate import odd_file, worse

SHAPES = (
    *("(60, 8, 8)", "(10000000000,)", "(60, 100000, 100000)", "(-1, 8, 8)", "(60, -8, -8)", "()", "(0,)"),
    *("(0, 8, 8)", "(9223372036854775807, 2)", "(9223372036854775807, 9223372036854775807)"),
    *("(60, 8, 8, 3)", "(60, 0, 0)", "(60.5, 8)", "None", "[60, 8, 8]", "('a',)", "(60, 8, 8, 3, 1)"),
    "(True, 8)",
    f"({'1, ' * 64})",
    f"(1{'0' * 5000},)",
)
TYPES = (
    *("|u1", "<f4", "<f8", "<f2", "<f16", "<c8", "<c16", "|b1", "<i8", "<u8", ">f4", "|O", "<U10", "|S7"),
    *("<M8[ns]", "|V8", "<U1000000000", "|S0", "<q8", "", "x", "object", "<m8", "|V2000000000"),
)


class Bomb:
    """What runs code when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple:
        import os

        return os.system, (self.command,)


def make(rng: random.Random, place: Place) -> Case:
    """A file of arrays that is to be trained on, or handed to a run."""
    path = array_file(rng, place)
    if rng.random() < 0.5:
        run = place.runs[rng.choice(list(place.runs))]
        words = ["encode", str(run), str(path), "--out", str(place.out / "a.npy")]
        return Case(
            [*words, *rng.choice(([], [], ["--value-range", "-9", "9"], ["--value-range", "nan", "1e400"]))]
        )
    return Case(["data", str(path), "--out", str(place.out / "a.png"), "--data-root", str(place.out)])


def array_file(rng: random.Random, place: Place) -> Path:
    """A `.npy` or `.npz` file."""
    path = place.folder / rng.choice(("a.npy", "a.npz"))
    what = rng.random()
    if what < 0.05:
        return odd_file(rng, path)
    if what < 0.4:
        content = sound(rng, path.suffix)
    elif path.suffix == ".npy":
        content = member(rng, place)
    elif what < 0.5:
        content = bomb(rng)
    else:
        content = archive(rng, place)
    path.write_bytes(worse(rng, content) if rng.random() < 0.4 else content)
    return path


def sound(rng: random.Random, suffix: str) -> bytes:
    """A file that can be trained on, or handed to one of the runs."""
    noise = np.random.default_rng(rng.randrange(2**32))
    shape = rng.choice(((60, 8, 8), (60, 28, 28, 3), (60, 2)))
    pixels = len(shape) > 2 and rng.random() < 0.6
    x = noise.integers(0, 256, shape, np.uint8) if pixels else noise.random(shape, np.float32)
    file = io.BytesIO()
    if suffix == ".npy":
        np.save(file, x)
    else:
        labels = {"labels": noise.integers(0, 3, 60)} if rng.random() < 0.5 else {}
        rng.choice((np.savez, np.savez_compressed))(file, images=x, **labels)
    return file.getvalue()


def member(rng: random.Random, place: Place) -> bytes:
    """One array: sound, of odd values, with a head that lies, or of objects."""
    what = rng.randrange(-3, 5)
    file = io.BytesIO()
    if what <= 0:
        np.save(file, odd_array(rng))
    elif what == 1:
        np.save(file, np.array([Bomb(run_code(place.canary))] * 30, object), allow_pickle=True)
    elif what == 2:
        file.write(pickle.dumps(Bomb(run_code(place.canary))))
    else:
        shape = rng.choice(SHAPES)
        kind = repr(rng.choice(TYPES)) if rng.random() < 0.9 else "[('a', '<f4'), ('b', '|O')]"
        order = rng.choice(("False", "True", "1", "x"))
        head = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}"
        if rng.random() < 0.1:
            head = rng.choice(
                (
                    "(" * 3000,
                    "{" * 3000,
                    "9" * 9000,
                    f"__import__('os').system('touch {place.canary}')",
                    "-" * 9000,
                )
            )
        head += " " * (-len(head) % 64) + "\n"
        if rng.random() < 0.5:
            file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", min(len(head), 65535)))
        else:
            long = rng.choice((len(head), len(head), len(head), 2**32 - 1, 2**31, 0))
            file.write(b"\x93NUMPY" + bytes((rng.choice((2, 3, 9)), 0)) + struct.pack("<I", long))
        file.write(
            head.encode("latin-1") + rng.choice((bytes(100), bytes(60 * 8 * 8), rng.randbytes(60 * 64 * 4)))
        )
    return file.getvalue()


def odd_array(rng: random.Random) -> np.ndarray:
    """An array of any shape and type, with values that are no numbers among them."""
    shape = rng.choice(
        (
            (60, 8, 8),
            (60, 28, 28, 3),
            (60, 2),
            (25, 1, 1),
            (60,),
            (),
            (60, 8, 8, 4),
            (60, 3, 8, 8),
            (25, 300, 2),
        )
    )
    noise = np.random.default_rng(rng.randrange(2**32)).normal(size=shape)
    found = noise.astype(
        rng.choice(("u1", "f4", "f8", "f2", "g", "i8", "u8", "?", "c16", ">f4", ">i2", "M8[s]", "S3"))
    )
    if found.dtype.kind == "f" and found.size and rng.random() < 0.5:
        found.flat[rng.randrange(found.size)] = rng.choice((np.nan, np.inf, -np.inf, 1e300, -1e-320))
    return found if rng.random() < 0.8 else np.asfortranarray(found)


def archive(rng: random.Random, place: Place) -> bytes:
    """An archive of one to five members with odd names."""
    names = (
        "images",
        "labels",
        "train_images",
        "test_images",
        "train_labels",
        "test_labels",
        "x",
        "../../x",
        "/etc/x",
        "",
        "a\0b",
        "x" * 5000,
    )
    file = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    if rng.random() < 0.1:
        method = rng.choice((zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(file, "w", method) as made:
        for name in rng.choices(names, k=rng.choice((0, 1, 1, 2, 4, 6))):
            if rng.random() < 0.6:
                content = io.BytesIO()
                np.save(content, odd_array(rng) if "labels" not in name else np.arange(60) % 3)
                made.writestr(f"{name}.npy", content.getvalue())
            else:
                made.writestr(f"{name}.npy", member(rng, place))
    return file.getvalue()


def bomb(rng: random.Random) -> bytes:
    """An archive of a few megabytes at most that unpacks to gigabytes; its head says so, or less."""
    size = rng.choice((1 << 28, 1 << 30, 1 << 31))
    rows = size // 64
    head = rng.choice((f"({rows}, 8, 8)", "(60, 8, 8)", f"({size * 1000},)"))
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {head}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for name in rng.choice((["x"], ["train_images", "test_images"], [f"a{n}" for n in range(4)])):
            with made.open(f"{name}.npy", "w", force_zip64=True) as inside:
                inside.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
                for _ in range(size // (1 << 24) // 4):
                    inside.write(bytes(1 << 24))
    return file.getvalue()
