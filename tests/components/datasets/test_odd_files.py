"""Odd and broken image files and arrays: read for what they are, or refused in a line that names the file."""

import os
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile

from dalikit.components.datasets.folder import Folder
from dalikit.data.imagefiles import open_image
from dalikit.functional.fitting import Fitting, convert_image, upright_size

CHANNELS = {"L": 1, "RGB": 3}
RNG = np.random.default_rng(0)
NOISE = Image.fromarray(RNG.integers(0, 256, (12, 14, 3)).astype(np.uint8))


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DALIKIT_DATA", str(tmp_path / "root"))


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "images"
    made.mkdir()
    for i in range(39):
        NOISE.rotate(i).save(made / f"{i:02d}.png")
    return made


def train(cli, tmp_path, kind, path):
    options = ["--dataset", kind, "--set", f"dataset.path={path}", "--backbone", "mlp", "--steps", 1]
    options += ["--set", "trainer.batch_size=4", *(["--set", "dataset.size=8"] if kind == "folder" else [])]
    return cli("train", *options, "--out", tmp_path / "run")


def refused(done, tmp_path):
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "run").exists()
    return done.stderr


def fit(image, size, mode):
    return Fitting(height=size, width=size, channels=CHANNELS[mode]).apply(image)


def grey(value, dtype):
    return Image.fromarray(np.full((9, 9), value, dtype))


@pytest.mark.parametrize(
    ("image", "name", "expected"),
    [
        (grey(200, np.uint8).point(lambda v: 255 * (v > 99)).convert("1"), "x.png", 255),
        (Image.new("RGB", (9, 9), (255, 255, 255)).convert("P"), "x.png", 255),
        (Image.new("CMYK", (9, 9), (0, 0, 0, 255)), "x.tiff", 0),
        (Image.new("CMYK", (99, 99), (0, 0, 0, 255)), "x.jpg", 0),
        (Image.new("CMYK", (99, 99), (0, 0, 0, 0)), "x.jpg", 255),
        (Image.new("RGBA", (9, 9), (90, 90, 90, 0)), "x.png", 255),
        (Image.new("LA", (9, 9), (90, 128)), "x.png", 172),
        (grey(40000, np.uint16), "x.png", 40000 >> 8),
        (grey(300, np.uint16), "x.tiff", 1),
        (grey(65535, np.uint16), "x.png", 255),
    ],
)
@pytest.mark.parametrize(("mode", "shape"), [("L", (5, 5)), ("RGB", (5, 5, 3))])
def test_brightness_is_kept_whatever_the_mode(tmp_path, image, name, expected, mode, shape):
    image.save(tmp_path / name)
    with Image.open(tmp_path / name) as image:
        pixels = fit(image, 5, mode)
    assert (pixels.shape, pixels.dtype) == (shape, np.uint8)
    assert (pixels == expected).all()


@pytest.mark.parametrize(("lab", "red", "grey"), [((255, 128, 128), 255, 255), ((138, 209, 198), 255, 76)])
def test_lab_goes_by_way_of_rgb(tmp_path, lab, red, grey):
    Image.new("LAB", (9, 9), lab).save(tmp_path / "x.tiff")
    for mode, expected in (("RGB", red), ("L", grey)):
        with Image.open(tmp_path / "x.tiff") as image:
            assert abs(int(fit(image, 5, mode).flat[0]) - expected) <= 5


def test_a_mode_that_leads_nowhere_makes_a_file_a_broken_one(folder, monkeypatch):
    def fail(*_, **__):
        raise ValueError("conversion from LAB to RGB not supported")

    Image.new("LAB", (9, 9)).save(folder / "lab.tiff")
    monkeypatch.setattr("PIL.ImageCms.profileToProfile", fail)  # as where Pillow is built without it
    data = Folder(path=str(folder), size=8, channels=1)
    with pytest.warns(UserWarning, match=r"1 of 40 images are left out: .*lab\.tiff: conversion from LAB"):
        data.split("train")


SEEN = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.T,
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].T,
    8: lambda stored: np.rot90(stored),
}
"""EXIF 2.32, tag 0x112: which side of what is seen the stored row 0 and column 0 are."""


def turned(number):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = number
    return exif


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("name", ["x.jpg", "x.tiff", "x.png", "deep.png"])
def test_photographs_are_turned_upright(tmp_path, name, number):
    lying = NOISE.convert("L").resize((12, 16), Image.Resampling.BICUBIC)
    if name == "deep.png":
        lying = Image.fromarray(np.asarray(lying).astype(np.uint16) * 256)
    lying.save(tmp_path / name, exif=turned(number), **({"quality": 100} if name == "x.jpg" else {}))
    with open_image(tmp_path / name) as image:
        found = fit(image, 12, "L").astype(int)
    middle = np.asarray(lying).astype(int)[2:14] // (256 if name == "deep.png" else 1)
    assert abs(found - SEEN[number](middle)).max() <= 2


@pytest.mark.parametrize("name", ["x.jpg", "x.tiff", "x.png", "x.webp"])
@pytest.mark.parametrize("number", [1, 3, 6, 8])
def test_the_size_of_a_photograph_is_what_is_seen(tmp_path, name, number):
    NOISE.resize((30, 20)).save(tmp_path / name, exif=turned(number))
    with open_image(tmp_path / name) as image:
        found = upright_size(image)
        assert found == convert_image(image, "L").size
    assert found == ((20, 30) if number > 4 else (30, 20))


def test_a_damaged_orientation_leaves_an_image_as_it_lies(tmp_path):
    NOISE.save(tmp_path / "x.png", exif=b"Exif\0\0nonsense")
    with open_image(tmp_path / "x.png") as image:
        np.testing.assert_array_equal(fit(image, 12, "RGB"), np.asarray(NOISE)[:, 1:13])


def test_of_several_frames_the_first_counts(tmp_path):
    first, second = (Image.new("L", (9, 9), value) for value in (255, 0))
    first.save(tmp_path / "x.gif", save_all=True, append_images=[second])
    with Image.open(tmp_path / "x.gif") as image:
        assert (fit(image, 5, "L") == 255).all()


def test_a_transparent_palette_is_no_warning(tmp_path, recwarn):
    NOISE.convert("P").save(tmp_path / "x.png", transparency=bytes([0] * 128))
    with Image.open(tmp_path / "x.png") as image:
        assert fit(image, 5, "RGB").shape == (5, 5, 3)
    assert list(recwarn) == []


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def huge(side):
    """A PNG file of some hundred bytes that says it is so many pixels wide and high."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(100))), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def torn(name):
    def make(path):
        NOISE.resize((60, 60)).save(path.with_name(name))
        whole = path.with_name(name).read_bytes()
        path.with_name(name).write_bytes(whole[: len(whole) // 2])

    return make


BROKEN = {
    "x.png": (torn("x.png"), "truncated"),
    "x.jpg": (torn("x.jpg"), "truncated"),
    "empty.png": (lambda p: p.write_bytes(b""), "not an image file, or damaged"),
    "text.jpg": (lambda p: p.write_text("hello"), "not an image file, or damaged"),
    "huge.png": (lambda p: p.write_bytes(huge(100_000)), "more than 64 million pixels"),
    "large.png": (lambda p: p.write_bytes(huge(12_000)), "12,000×12,000: more than 64 million pixels"),
    "floats.tiff": (lambda p: grey(0.7, np.float32).save(p), "mode F have no known black and white"),
    "long.tiff": (lambda p: grey(70000, np.int32).save(p), "mode I have no known black and white"),
    "lost.png": (lambda p: p.symlink_to("nowhere.png"), "No such file"),
    "fifo.png": (os.mkfifo, "not a plain file"),
    "zeros.png": (lambda p: p.symlink_to("/dev/zero"), "not a plain file"),
    "postscript.png": (lambda p: p.write_text("%!PS-Adobe-3.0 EPSF-3.0\n"), "not an image file"),
    "itself.png": (lambda p: p.symlink_to("itself.png"), "symbolic link"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_listed_and_left_out(folder, name):
    make, says = BROKEN[name]
    make(folder / name)
    data = Folder(path=str(folder), size=8)
    with pytest.warns(UserWarning, match="1 of 40 images are left out: ") as warned:
        assert len(data.split("train")) + len(data.split("validation")) + len(data.split("test")) == 39
    (line,) = (str(warning.message) for warning in warned if "left out" in str(warning.message))
    assert f"{folder / name}: " in line
    assert says in line


def test_postscript_is_run_by_no_name(folder, tmp_path, monkeypatch):
    """Pillow tells formats by content, and asks Ghostscript to draw this one."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    (tmp_path / "bin" / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    box = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    for name in ("x.png", "y.jpg", "z.msp"):
        (folder / name).write_text(box)
    with pytest.warns(UserWarning, match="3 of 42 images are left out"):
        Folder(path=str(folder), size=8).split("train")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("packed", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_python_unpacks_a_block_at_once_is_left_out(folder, packed, tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as made:
        for file in sorted(folder.iterdir()):
            made.write(file, file.name)
        made.writestr("odd.png", (folder / "00.png").read_bytes(), packed)
    with pytest.warns(UserWarning, match="1 of 40 images are left out: .*odd.png: packed in a way"):
        Folder(path=str(path), size=8).split("train")


def test_a_decoder_that_fails_in_its_own_way_is_reported_too(folder, monkeypatch):
    sound = ImageFile.ImageFile.load

    def fail(self):
        if self.size == (3, 3):
            raise TypeError("unsupported operand")
        return sound(self)

    NOISE.resize((3, 3)).save(folder / "x.png")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.warns(UserWarning, match=r"1 of 40 .*x\.png: unsupported operand"):
        Folder(path=str(folder), size=8, channels=3).split("train")


def test_what_is_no_image_file_is_passed_over(tmp_path, folder):
    (folder / "paper.pdf").write_bytes(b"%PDF-1.4\n")
    (folder / "drawing.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n")  # which Pillow would have run
    (folder / "notes.txt").write_text("no image")
    (folder / "folder.png").mkdir()
    (folder / "deep").mkdir()
    (folder / "deep" / "up").symlink_to("..")
    data = Folder(path=str(folder), size=8)
    assert sum(len(data.split(part)) for part in ("train", "validation", "test")) == 39


def test_a_name_that_is_no_text(folder):
    NOISE.save(os.fsencode(folder) + b"/\xff.png", format="png")
    data = Folder(path=str(folder), size=8)
    assert sum(len(data.split(part)) for part in ("train", "validation", "test")) == 40


def test_a_broken_file_whose_name_is_no_text(folder, tmp_path):
    path = os.fsencode(folder) + b"/\xff\n.png"
    with open(path, "w") as file:  # noqa: PTH123 - a path of bytes
        file.write("no image")
    with pytest.warns(UserWarning, match="1 of 40 images are left out"):
        Folder(path=str(folder), size=8).split("test")
    (listing,) = (tmp_path / "root").glob("*.left-out.txt")
    assert listing.read_bytes() == b"\xff\\n.png: not an image file, or damaged\n"


def test_a_folder_whose_name_is_no_text(tmp_path, folder):
    odd = folder.rename(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff"))
    data = Folder(path=str(odd), size=8)
    assert b"images of folder a, " in data.preparation.encode()  # which run.json needs


def test_hidden_files_and_folders_are_passed_over(folder):
    (folder / "._00.png").write_bytes(b"\0\5\x16\7")  # what macOS writes beside a file
    (folder / ".thumbnails").mkdir()
    NOISE.save(folder / ".thumbnails" / "00.png")
    data = Folder(path=str(folder), size=8)
    assert sum(len(data.split(part)) for part in ("train", "validation", "test")) == 39


def test_a_folder_in_a_hidden_one_is_used(folder, tmp_path):
    inside = folder.rename(tmp_path / ".images")
    assert len(Folder(path=str(inside), size=8).split("train")) > 30


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"test": 9}, "has a test part but no train beside it: name"),
        ({"train": 19, "test": 1}, "has too few images: 19 data, 20 at least are needed"),
        ({"train": 19, "test": 0}, "has too few images: 19 data, 20 at least are needed"),
        ({".": 0}, "has too few images: 0 data, 20 at least are needed"),
        ({".": 10}, "has too few images: 10 data, 20 at least are needed"),
    ],
)
def test_trees_that_cannot_be_divided(cli, tmp_path, parts, says):
    for part, count in parts.items():
        (tmp_path / "images" / part).mkdir(parents=True)
        for i in range(count):
            NOISE.rotate(i).save(tmp_path / "images" / part / f"{i}.png")
    assert says in refused(train(cli, tmp_path, "folder", tmp_path / "images"), tmp_path)
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("parts", [{".": 20}, {"train": 20, "test": 1}])
def test_the_smallest_trees_are_trained_on(cli, tmp_path, parts):
    for part, count in parts.items():
        (tmp_path / "images" / part).mkdir(parents=True)
        for i in range(count):
            NOISE.rotate(i).save(tmp_path / "images" / part / f"{i}.png")
    done = train(cli, tmp_path, "folder", tmp_path / "images")
    assert done.returncode == 0, done.stderr


def pixels(*shape):
    return RNG.integers(0, 256, shape).astype(np.uint8)


def spoilt(at, value):
    array = RNG.random((1300, 4, 4), dtype=np.float32)
    array[at, 1, 1] = value
    return array


BAD_ARRAYS = {
    "no dimensions": (np.array(3), r"data are (); (N, H, W)"),
    "one dimension": (pixels(40), r"data are (40,); (N, H, W)"),
    "five dimensions": (pixels(9, 8, 8, 3, 2), r"data are (9, 8, 8, 3, 2); (N, H, W)"),
    "no pixels": (pixels(40, 0, 8), r"data are (40, 0, 8); (N, H, W)"),
    "no channels": (pixels(40, 8, 8, 0), r"data are (40, 8, 8, 0); (N, H, W)"),
    "channels first": (pixels(40, 3, 8, 8), r"seem to be (N, C, H, W), (N, H, W, C) is needed"),
    "no images": (pixels(0, 8, 8), "has too few data to train with: 0 data, 20 at least"),
    "two images": (pixels(2, 8, 8), "has too few data to train with: 2 data, 20 at least"),
    "whole numbers": (pixels(40, 8, 8).astype(int), "images are int64"),
    "long floats": (np.zeros((40, 8, 8), np.longdouble), "of 64 bits at most"),
    "objects": (np.array([1, "a"], dtype=object), "Python objects, which are never unpickled"),
    "a NaN late": (spoilt(1100, np.nan), "array 'images': the datum at index 1100 holds a value that is NaN"),
    "an infinity": (spoilt(3, np.inf), "the datum at index 3 holds a value that is NaN or infinite"),
    "words": (np.array([["a", "b"]] * 40), "vectors are <U1, numbers are needed"),
    "complex vectors": (np.zeros((40, 8), complex), "vectors are complex128, numbers are needed"),
    "vectors with a NaN": (spoilt(9, np.nan)[:, 1], "the datum at index 9 holds a value that is NaN"),
    "data that are all alike": (np.zeros((40, 8, 8), np.uint8), "its 40 data are too much alike"),
    "one value late": (spoilt(1100, 7), "to 7 lie outside dataset.low 0 and dataset.high 1"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_an_array_that_is_none_of_images(cli, tmp_path, name):
    array, says = BAD_ARRAYS[name]
    np.save(tmp_path / "x.npy", array)
    said = refused(train(cli, tmp_path, "arrays", tmp_path / "x.npy"), tmp_path)
    assert says in said
    assert f"Data file {tmp_path / 'x.npy'}" in said


PARTS = {"train_images": pixels(40, 8, 8), "test_images": pixels(9, 8, 8)}
BAD_PARTS = {
    "labels of another length": (
        {"train_labels": np.arange(39)},
        "train_labels are int64 (39,), whole numbers (40,)",
    ),
    "labels in columns": ({"train_labels": pixels(40, 10)}, "train_labels are uint8 (40, 10)"),
    "labels that are floats": (
        {"test_labels": np.zeros(9)},
        "test_labels are float64 (9,), whole numbers (9,)",
    ),
    "labels that are words": ({"train_labels": np.array(["cat"] * 40)}, "train_labels are <U3"),
    "another size": ({"test_images": pixels(9, 7, 7)}, "are (40, 8, 8) and (9, 7, 7), not of one size"),
    "no test images": ({"test_images": pixels(0, 8, 8)}, "has 0 data for its test part, 1 at least"),
}


@pytest.mark.parametrize("name", BAD_PARTS)
def test_arrays_that_do_not_fit_together(cli, tmp_path, name):
    changed, says = BAD_PARTS[name]
    np.savez(tmp_path / "x.npz", **{**PARTS, **changed})
    assert says in refused(train(cli, tmp_path, "arrays", tmp_path / "x.npz"), tmp_path)


def test_a_file_that_claims_more_than_there_is_room_for(cli, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((40, 8, 8), np.float32))
    whole = (tmp_path / "x.npy").read_bytes()
    claims = whole.replace(b"(40, 8, 8), }            ", b"(40000000000000, 8, 8), }")
    assert len(claims) == len(whole)
    assert claims != whole
    (tmp_path / "x.npy").write_bytes(claims)
    assert "x.npy cannot be used: " in refused(train(cli, tmp_path, "arrays", tmp_path / "x.npy"), tmp_path)


@pytest.mark.parametrize("dtype", [">f8", ">f4", "<f2", "<f8"])
def test_floats_of_any_size_and_byte_order(cli, tmp_path, dtype):
    array = RNG.random((40, 8, 8)).astype(dtype)
    np.savez(
        tmp_path / "x.npz", train_images=array, test_images=array[:9], test_labels=np.arange(9, dtype=">u2")
    )
    done = train(cli, tmp_path, "arrays", tmp_path / "x.npz")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("ends", [(".nan", "1"), ("0", ".inf"), ("1", "1")])
def test_ends_that_are_none(cli, tmp_path, ends):
    low, high = ends
    given = ["--set", f"dataset.low={low}", "--set", f"dataset.high={high}", "--set", "dataset.path=x.npy"]
    done = cli("train", "--dataset", "arrays", *given, "--out", tmp_path / "run")
    assert refused(done, tmp_path)
