"""Pictures made alike: cut, padded or stretched to a shape, transparency on white, large JPEG files too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from dalikit.functional import fitting as fitted
from dalikit.functional.fitting import Fitting

sides = st.integers(1, 40)


@given(sides, sides, sides, sides, st.sampled_from([1, 3]), st.sampled_from(["crop", "pad", "stretch"]))
def test_every_shape_becomes_the_one_wanted(width, height, w, h, channels, how):
    fitting = Fitting(height=h, width=w, channels=channels, how=how)
    found = fitting.apply(Image.new("RGB", (width, height), (9, 9, 9)))
    assert (found.shape, found.dtype) == ((h, w) if channels == 1 else (h, w, 3), np.uint8)
    assert fitting.shape == found.shape
    if how != "pad":
        assert (found == 9).all()


def ramp(height, width):
    return np.arange(height * width, dtype=np.uint8).reshape(height, width)


@pytest.mark.parametrize(
    ("how", "expected"),
    [("crop", lambda a: a[:, 2:6]), ("pad", lambda a: np.pad(a, ((2, 2), (0, 0)), constant_values=255))],
)
def test_the_middle_is_kept_pixel_by_pixel(how, expected):
    wide = ramp(4, 8)
    side = 4 if how == "crop" else 8
    found = Fitting(height=side, width=side, channels=1, how=how).apply(Image.fromarray(wide))
    np.testing.assert_array_equal(found, expected(wide))
    tall = Fitting(height=side, width=side, channels=1, how=how).apply(Image.fromarray(wide.T.copy()))
    np.testing.assert_array_equal(tall, expected(wide).T)


def test_a_shape_that_is_not_square_is_cropped_to():
    found = Fitting(height=4, width=6, channels=1).apply(Image.fromarray(ramp(4, 16)))
    np.testing.assert_array_equal(found, ramp(4, 16)[:, 5:11])


def test_stretching_keeps_every_edge():
    image = np.zeros((10, 40), np.uint8)
    image[:, 20:] = 200
    found = Fitting(height=10, width=10, channels=1, how="stretch").apply(Image.fromarray(image))
    assert (found[:, :4] < 30).all()
    assert (found[:, 6:] > 170).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [0, 100, 255])
def test_transparency_lies_on_white(channels, alpha):
    image = Image.new("RGBA", (8, 8), (60, 60, 60, alpha))
    found = Fitting(height=8, width=8, channels=channels).apply(image)
    assert abs(found.astype(int) - round(255 - (255 - 60) * alpha / 255)).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_one_colour_that_stands_for_transparency(tmp_path, mode):
    image = Image.new(mode, (8, 8), 0 if mode != "RGB" else (0, 0, 0))
    image.save(tmp_path / "x.png", transparency=0 if mode != "RGB" else (0, 0, 0))
    with Image.open(tmp_path / "x.png") as read:
        assert (Fitting(height=8, width=8, channels=1).apply(read) == 255).all()


def test_a_large_jpeg_is_decoded_at_a_part_of_its_size_and_looks_the_same(tmp_path):
    y, x = np.mgrid[:640, :960]
    smooth = np.stack([x / 960, y / 640, (x + y) / 1600], -1)
    Image.fromarray((255 * smooth).astype(np.uint8)).save(tmp_path / "x.jpg", quality=95)
    fitting = Fitting(height=32, width=32, channels=3)
    with Image.open(tmp_path / "x.jpg") as image:
        quick = fitting.apply(image).astype(int)
        assert image.size == (120, 80), "an eighth, which has at least twice the size wanted"
    with Image.open(tmp_path / "x.jpg") as image:
        image.load()
        assert abs(fitting.apply(image).astype(int) - quick).max() <= 6


def test_it_is_kept_as_plain_numbers_and_is_not_changed():
    fitting = Fitting(height=24, width=32, channels=3, how="pad")
    assert Fitting.model_validate_json(fitting.model_dump_json()) == fitting
    with pytest.raises(ValidationError):
        fitting.height = 3
    with pytest.raises(ValidationError):
        Fitting(height=24, width=32, channels=2)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "LAB", "YCbCr"])
@pytest.mark.parametrize("to", ["L", "RGB"])
def test_strip_by_strip_a_picture_becomes_what_it_becomes_at_once(mode, to, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (41, 23, 4)).astype(np.uint8)
    if mode == "I;16":
        image = Image.fromarray(noise[..., 0].astype(np.uint16) * 257)
    elif mode in ("LA", "LAB"):
        image = Image.frombytes(mode, (23, 41), noise[..., : len(mode)].tobytes())
    else:
        image = Image.fromarray(noise, "RGBA").convert(mode)
    whole = np.asarray(fitted.convert_image(image.copy(), to))
    monkeypatch.setattr(fitted, "AT_ONCE", 23 * 7)
    np.testing.assert_array_equal(np.asarray(fitted.convert_image(image.copy(), to)), whole)


def test_a_picture_that_unpacks_to_more_than_its_head_says_is_refused(monkeypatch):
    monkeypatch.setattr(fitted, "PIXELS", 2_000_000)
    with pytest.raises(ValueError, match="2,000×1,001: more than 2 million pixels"):
        Fitting(height=8, width=8, channels=1).apply(Image.new("L", (2000, 1001)))
