"""What is handed to a trained model: pictures, arrays, tensors, files and folders."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import ExifTags, Image

from dalikit.components.datasets.celeba import CelebA
from dalikit.data import reading
from dalikit.data.inputs import Inputs, Prepared
from dalikit.errors import UserError
from dalikit.functional.fitting import Fitting
from dalikit.interfaces import DataSpec

GREY, COLOUR = (DataSpec((channels, 12, 10), (-1.0, 1.0)) for channels in (1, 3))
VECTORS = DataSpec((2,))
UNITS = ((3.0, -50.0), (2.0, 0.25))


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def signed(levels):
    """uint8 as x in [-1, 1], by its definition, in 64 bits."""
    return torch.from_numpy(levels.astype(np.float64) / 127.5 - 1).float()


def fitted(image, spec, how="crop"):
    channels, height, width = spec.x_shape
    row = Fitting(height=height, width=width, channels=channels, how=how).apply(image)
    return signed(row.reshape(height, width, channels)).permute(2, 0, 1)


def save(folder, name, levels):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path)
    return path


@pytest.mark.parametrize(
    ("spec", "shape", "planes"),
    [
        (GREY, (5, 12, 10), lambda a: a[:, None]),
        (GREY, (5, 12, 10, 1), lambda a: a.transpose(0, 3, 1, 2)),
        (GREY, (5, 1, 12, 10), lambda a: a),
        (GREY, (12, 10), lambda a: a[None, None]),
        (GREY, (12, 10, 1), lambda a: a.transpose(2, 0, 1)[None]),
        (GREY, (1, 12, 10), lambda a: a[None]),
        (GREY, (3, 12, 10), lambda a: a[:, None]),
        *((DataSpec((1, 12, w), (-1.0, 1.0)), (5, 12, w), lambda a: a[:, None]) for w in (1, 3, 4)),
        (COLOUR, (5, 12, 10, 3), lambda a: a.transpose(0, 3, 1, 2)),
        (COLOUR, (5, 3, 12, 10), lambda a: a),
        (COLOUR, (12, 10, 3), lambda a: a.transpose(2, 0, 1)[None]),
        (COLOUR, (3, 12, 10), lambda a: a[None]),
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_bytes_in_any_layout(spec, shape, planes, kind):
    levels = noise(*shape)
    found = Inputs(spec).prepare(kind(levels))
    torch.testing.assert_close(found.whole(), signed(planes(levels)))
    assert len(found) == len(planes(levels))


@pytest.mark.parametrize("spec", [GREY, COLOUR])
@pytest.mark.parametrize("shape", [(4, 30, 20), (4, 30, 20, 3), (4, 7, 9, 1), (4, 3, 30, 20), (4, 30, 20, 4)])
def test_bytes_of_another_size_are_fitted_as_pictures_are(spec, shape):
    levels = noise(*shape)
    rows = levels.transpose(0, 2, 3, 1) if shape[1] == 3 else levels
    expected = [fitted(Image.fromarray(row[..., 0] if row.shape[2:] == (1,) else row), spec) for row in rows]
    torch.testing.assert_close(Inputs(spec).prepare(levels).whole(), torch.stack(expected))


def test_training_s_own_fitting_is_used():
    own, image = Fitting(height=12, width=10, channels=1, how="pad"), Image.fromarray(noise(30, 12))
    found = Inputs(GREY, own).prepare(image)
    torch.testing.assert_close(found.whole()[0], fitted(image, GREY, "pad"))
    assert found.told == "1 image, 12×30, padded with white and resized to 10×12"
    assert not torch.equal(found.whole(), Inputs(GREY).prepare(image).whole())


def test_faces_are_cut_out_as_celeba_cuts_them(tmp_path):
    levels = noise(218, 178, 3)
    image, own = Image.fromarray(levels), CelebA(tmp_path, size=16, crop=108)
    prepared = Inputs(own.spec, own.fitting).prepare(image)
    assert prepared.told == "1 image, 178×218, centre-cropped and resized to 16×16"
    found = prepared.whole()[0]
    square = Image.fromarray(levels[55:163, 35:143]).resize((16, 16), Image.Resampling.LANCZOS)
    torch.testing.assert_close(found, signed(np.asarray(square)).permute(2, 0, 1))


def test_a_picture_that_is_handed_in_is_not_changed(tmp_path):
    path = save(tmp_path, "x.jpg", noise(200, 160))
    with Image.open(path) as image:
        Inputs(GREY).prepare(image)
        assert image.size == (160, 200)


def test_files_and_folders_in_order_with_their_names(tmp_path):
    levels = {name: noise(20 + i, 16) for i, name in enumerate(("b.png", "a/z.png", "c.png"))}
    for name, own in levels.items():
        save(tmp_path / "all", name, own)
    alone = save(tmp_path, "alone.png", noise(12, 10))
    found = Inputs(GREY).prepare([tmp_path / "all", str(alone)])
    order = ["a/z.png", "b.png", "c.png"]
    assert found.names == (*(str(tmp_path / "all" / name) for name in order), str(alone))
    expected = [fitted(Image.fromarray(levels[name]), GREY) for name in order]
    torch.testing.assert_close(found.whole(), torch.stack([*expected, signed(noise(12, 10))[None]]))
    assert found.told == "4 images, 10–22 px, centre-cropped and resized to 10×12"


def test_broken_files_of_a_folder_are_named_and_left_out(tmp_path):
    for i in range(8):
        (tmp_path / f"bad{i}.png").write_text("no image")
    with pytest.raises(UserError, match=r"No picture can be read: .*bad0.png: not an image.*and 3 more$"):
        Inputs(GREY).prepare(tmp_path)
    good = save(tmp_path, "good.png", noise(12, 10))
    with pytest.warns(UserWarning, match=r"8 of 9 images are left out: .*bad0.png: not an image file"):
        found = Inputs(GREY).prepare(tmp_path)
    assert found.names == (str(good),)
    assert found.told == "1 image, 10×12"
    with pytest.raises(UserError, match=r"Image .*bad1.png: not an image file"):
        Inputs(GREY).prepare([good, tmp_path / "bad1.png"])


def test_a_photograph_that_lies_on_its_side_is_told_of_as_it_is_seen(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(noise(20, 40)).save(tmp_path / "x.png", exif=exif)
    found = Inputs(GREY).prepare(tmp_path / "x.png")
    assert found.told.startswith("1 image, 20×40, ")
    with Image.open(tmp_path / "x.png") as image:
        assert torch.equal(Inputs(GREY).prepare(image).whole(), found.whole())


def test_what_does_not_fit_into_memory_is_the_same_in_parts(tmp_path, monkeypatch):
    levels = noise(9, 12, 10)
    for i, own in enumerate(levels):
        save(tmp_path, f"{i}.png", own)
    monkeypatch.setattr(reading, "HELD", 3 * 120)
    found = Inputs(GREY).prepare(tmp_path)
    assert found.rows.file._rolled  # onto the disk
    parts = list(found.parts(4))
    assert [len(part) for part in parts] == [4, 4, 1]
    torch.testing.assert_close(torch.cat(parts), signed(levels)[:, None])
    torch.testing.assert_close(found.whole(), torch.cat(parts))


def test_floats_that_could_be_meant_for_the_unit_interval_are_refused():
    unit = np.random.default_rng(0).random((3, 1, 12, 10))
    inputs = Inputs(GREY)
    with pytest.raises(UserError, match=r"no negative value, .*value_range=\(0, 1\).*value_range=\(-1, 1\)"):
        inputs.prepare(unit)
    scaled = inputs.prepare(unit, value_range=(0, 1))
    torch.testing.assert_close(scaled.whole(), torch.from_numpy(2 * unit - 1).float())
    assert scaled.told == "3 images, scaled from [0, 1]"
    as_they_are = inputs.prepare(unit, value_range=(-1, 1)).whole()
    torch.testing.assert_close(as_they_are, torch.from_numpy(unit))
    with pytest.raises(UserError, match=r"reach from .* to 255, outside \[-1, 1\]: value_range"):
        inputs.prepare(np.full((1, 1, 12, 10), 255.0))
    assert len(Inputs(DataSpec((1, 12, 10), (0.0, 1.0))).prepare(unit)) == 3  # its range has no negatives


def test_one_negative_value_far_behind_is_enough(monkeypatch):
    x = torch.full((50, 1, 12, 10), 0.5)
    x[-1] = -0.25
    monkeypatch.setattr("dalikit.data.prepared.CHUNK", 4000)  # so that it lies in another chunk
    assert torch.equal(Inputs(GREY).prepare(x).whole(), x)
    x[-1] = float("nan")
    with pytest.raises(UserError, match="Data: the datum at index 49 holds a value that is NaN or infinite"):
        Inputs(GREY).prepare(x)


def test_floats_that_torch_does_not_know_are_refused():
    with pytest.raises(UserError, match=r"are needed \(of 64 bits at most"):
        Inputs(GREY).prepare(np.zeros((3, 12, 10), np.longdouble) - 0.5)


def test_floats_in_a_file_lie_where_training_s_did(tmp_path):
    raw = np.random.default_rng(0).random((4, 12, 10, 3)).astype(">f4") * 7 + 2
    np.save(tmp_path / "x.npy", raw)
    inputs = Inputs(COLOUR, float_range=(2.0, 9.0))
    x = torch.from_numpy(((raw.astype(np.float64) - 2) / 7 * 2 - 1).transpose(0, 3, 1, 2)).float()
    torch.testing.assert_close(inputs.prepare(tmp_path / "x.npy").whole(), x)
    assert torch.equal(inputs.prepare(x).whole(), x)  # a tensor is x
    np.savez(tmp_path / "x.npz", x=raw, y=raw)
    torch.testing.assert_close(inputs.prepare(str(tmp_path / "x.npz")).whole(), x)
    np.savez(tmp_path / "two.npz", a=raw, b=raw)
    with pytest.raises(UserError, match=r"two.npz holds a, b: train_images and test_images, or one array, "):
        inputs.prepare(tmp_path / "two.npz")
    with pytest.raises(UserError, match=r"outside \[0, 1\]"):
        inputs.prepare(tmp_path / "x.npy", value_range=(0, 1))


@settings(deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 5), st.just(2)), elements=st.floats(-1e3, 1e3)))
def test_vectors_are_standardized_as_training_s_were_and_back(rows):
    inputs = Inputs(VECTORS, standardization=UNITS)
    mean, divisor = map(np.array, UNITS)
    x = inputs.prepare(rows).whole()
    np.testing.assert_allclose(x, (rows - mean) / divisor, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(inputs.original(x), rows, rtol=1e-4, atol=1e-3)
    assert torch.equal(inputs.prepare(x).whole(), x)  # a tensor is x
    assert torch.equal(Inputs(VECTORS).original(x), x)


def test_vectors_of_whole_numbers_and_what_is_none(tmp_path):
    inputs, rows = Inputs(VECTORS, standardization=UNITS), np.array([[3, -50], [5, -49]])
    expected = torch.tensor([[0.0, 0.0], [1.0, 4.0]])
    for dtype in (np.int64, np.uint8, np.int16):
        if dtype != np.uint8:
            assert torch.equal(inputs.prepare(rows.astype(dtype)).whole(), expected)
    assert torch.equal(inputs.prepare(np.array([[3, 0]], np.uint8)).whole(), torch.tensor([[0.0, 200.0]]))
    np.save(tmp_path / "x.npy", rows)
    found = inputs.prepare(tmp_path / "x.npy")
    assert torch.equal(found.whole(), expected)
    assert found.told == f"2 vectors of {tmp_path / 'x.npy'}, standardized as in training"
    for wrong, says in (
        (np.zeros((2, 3)), r"Data have shape \(2, 3\), \(B, 2\) is needed"),
        (np.array([["a", "b"]]), "numbers are needed"),
        (torch.zeros(2, 2, dtype=torch.int64), "floats are needed"),
        (Image.new("L", (9, 9)), r"data have shape \(2,\): they are no images"),
    ):
        with pytest.raises(UserError, match=says):
            inputs.prepare(wrong)
    with pytest.raises(UserError, match="value_range means nothing here"):
        inputs.prepare(np.zeros((2, 2)), value_range=(0, 1))


@pytest.mark.parametrize("wrong", [noise(2, 3, 4, 5, 6), noise(2, 0, 4), noise(2, 5, 12, 10), noise(4)])
def test_bytes_that_are_no_images_are_refused(wrong):
    with pytest.raises(UserError, match=r"Images of shape .*\(N, C, H, W\) is needed"):
        Inputs(GREY).prepare(wrong)


def test_what_is_prepared_stays_as_it_is():
    once = Prepared(torch.ones(2, 1, 12, 10))
    assert Inputs(GREY).prepare(once) is once
    assert [len(part) for part in Prepared(torch.empty(0, 2)).parts(3)] == [0]


@pytest.mark.parametrize(
    "rows", [[[3.0, -50.0], [5.0, -49.0]], ((3, -50), (5, -49)), [np.array([3, -50]), [5, -49]]]
)
def test_lists_of_numbers_are_standardized_as_arrays_are(rows):
    found = Inputs(VECTORS, standardization=UNITS).prepare(rows)
    assert torch.equal(found.whole(), torch.tensor([[0.0, 0.0], [1.0, 4.0]]))


def test_lists_are_their_items_together(recwarn):
    levels = noise(3, 20, 16)
    for kind in (np.asarray, torch.from_numpy):
        found = Inputs(GREY).prepare([kind(image) for image in levels])
        torch.testing.assert_close(found.whole(), Inputs(GREY).prepare(levels).whole())
    x = torch.rand(3, 1, 12, 10) * 2 - 1
    assert torch.equal(Inputs(GREY).prepare(list(x)).whole(), x)
    units = Inputs(VECTORS, standardization=UNITS)
    assert torch.equal(units.prepare(list(torch.ones(3, 2))).whole(), torch.ones(3, 2))  # tensors are x
    assert not recwarn.list


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (None, "NoneType cannot be read as data: pictures or files are needed"),
        (5, "int cannot be read"),
        (b"abc", "bytes cannot be read"),
        ({"x": 1}, "dict cannot be read"),
        ([None, None], "NoneType cannot be read"),
        ([noise(9, 9), noise(8, 9)], r"ndarray \(9, 9\), ndarray \(8, 9\) cannot be read .* of one shape$"),
        ([torch.ones(2), torch.ones(3)], r"Tensor \(2,\), Tensor \(3,\) cannot be read"),
        ([torch.ones(2), np.ones(2)], r"Tensor \(2,\), ndarray \(2,\) cannot be read"),
        ([Image.new("L", (9, 9)), noise(9, 9)], r"Image, ndarray \(9, 9\) cannot be read"),
        ([[1.0, 2.0], [1.0]], "list cannot be read"),
        ([object()] * 3 + [np.ones(i) for i in range(8)], r"and 4 more cannot be read"),
    ],
)
def test_what_is_no_data_is_named_and_refused(wrong, says):
    with pytest.raises(UserError, match=says):
        Inputs(GREY).prepare(wrong)


@pytest.mark.parametrize("data", [noise(2, 12, 10), torch.from_numpy(noise(2, 9, 9)), Image.new("L", (9, 9))])
def test_a_range_of_what_are_no_floats_is_refused(data, tmp_path):
    with pytest.raises(UserError, match=r"value_range is for floats: pictures and uint8 reach from 0 to 255"):
        Inputs(GREY).prepare(data, value_range=(0, 1))


@pytest.mark.parametrize("ends", [(0, 0), (1, 0), (0, float("inf")), (float("nan"), 1)])
def test_a_range_that_is_none_is_refused(ends):
    with pytest.raises(UserError, match=r"value_range is \(.*\); two numbers, the lesser first, are needed"):
        Inputs(GREY).prepare(torch.zeros(4, 1, 12, 10), value_range=ends)
