"""Pictures in an array of uint8 are fitted as those in files are; floats and vectors stay what they are."""

import numpy as np
import pytest
import torch
from PIL import Image

from dalikit import testing
from dalikit.components.datasets.arrays import Arrays
from dalikit.data.inputs import Inputs
from dalikit.errors import UserError

RNG = np.random.default_rng(0)
PARTS = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DALIKIT_DATA", str(tmp_path / "root"))
    return tmp_path / "root"


def saved(tmp_path, rows, **others):
    np.savez(tmp_path / "x.npz", **({"x": rows} | others))
    return str(tmp_path / "x.npz")


def rows_of(data, part):
    split = data.split(part)
    return split.take(torch.arange(len(split)), torch.Generator()).x


def test_large_pictures_are_made_small_once_and_what_is_handed_in_later_too(tmp_path, root):
    rows = RNG.integers(0, 256, (40, 80, 120, 3)).astype(np.uint8)
    data = Arrays(path=saved(tmp_path, rows))
    assert data.settled["size"].value == [32, 48]
    assert data.spec.x_shape == (3, 32, 48)
    line = data.introduction()[0]
    assert line.endswith("by a hash of their content; 120×80 px, resized to 48×32")
    (made,) = root.iterdir()
    stamp = made.stat().st_mtime_ns
    again = Arrays(path=data.file.path, size=(32, 48))
    assert again.settled == {}
    for part in PARTS:
        expected = [
            np.asarray(Image.fromarray(rows[i]).resize((48, 32), Image.Resampling.LANCZOS))
            for i in data._rows[part]
        ]
        found = rows_of(again, part)
        np.testing.assert_array_equal(found.permute(0, 2, 3, 1).numpy(), np.stack(expected))
        x = Inputs(data.spec, data.fitting).prepare(rows[data._rows[part]]).whole()
        assert torch.equal(x, data.scale(found))
    assert made.stat().st_mtime_ns == stamp
    testing.check_dataset(data)


@pytest.mark.parametrize(("how", "red"), [("crop", 4), ("pad", 6), ("stretch", 6)])
def test_size_and_how_are_as_asked_and_move_no_picture_to_another_part(tmp_path, how, red):
    rows = np.zeros((40, 20, 40, 3), np.uint8)
    rows[:, :, :10, 0] = 200
    rows[:, 0, 0, 1] = np.arange(40)
    path = saved(tmp_path, rows)
    data = Arrays(path=path, size=(16, 24), how=how)
    x = rows_of(data, "train")
    assert x.shape[1:] == (3, 16, 24)
    assert int((x[0, 0, 8] > 100).sum()) == red
    for part in PARTS:
        np.testing.assert_array_equal(data._rows[part], Arrays(path=path)._rows[part])


def test_transparency_lies_on_white_and_given_parts_and_labels_stay(tmp_path):
    rows = RNG.integers(0, 100, (40, 12, 12, 4)).astype(np.uint8)
    rows[..., 3] = 255 * (np.arange(12) < 6)[:, None]
    labels = np.arange(40) % 2
    path = tmp_path / "x.npz"
    np.savez(
        path, train_images=rows[:30], test_images=rows[30:], train_labels=labels[:30], test_labels=labels[30:]
    )
    data = Arrays(path=str(path))
    assert data.spec.x_shape == (3, 12, 12)
    x = rows_of(data, "test")
    order = data._rows["test"]
    np.testing.assert_array_equal(x[:, :, :6].permute(0, 2, 3, 1).numpy(), rows[30:][order][:, :6, :, :3])
    assert (x[:, :, 6:] == 255).all()
    assert data.introduction()[0].endswith("12×12 px, on white where they are transparent")
    assert "on white where they are transparent" in data.preparation
    testing.check_dataset(data)


@pytest.mark.parametrize("shape", [(28, 28), (4, 4, 1), (64, 64, 3), (20, 36), (8, 8, 2)])
def test_small_pictures_stay_as_they_are_and_nothing_is_written(tmp_path, root, shape):
    rows = RNG.integers(0, 256, (40, *shape)).astype(np.uint8)
    data = Arrays(path=saved(tmp_path, rows))
    first = rows_of(data, "train").permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(first, rows[data._rows["train"]].reshape(first.shape))
    assert f"; {shape[1]}×{shape[0]} px" in data.introduction()[0]
    assert not root.exists()


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (RNG.random((40, 100, 100), np.float32), "float32 of 1 channels"),
        (RNG.integers(0, 9, (40, 16, 16, 2)).astype(np.uint8), "uint8 of 2 channels"),
        (RNG.random((40, 7)), "vectors"),
    ],
)
@pytest.mark.parametrize("settings", [{"size": 32}, {"how": "pad"}])
def test_what_is_no_picture_is_not_fitted(tmp_path, rows, what, settings):
    path = saved(tmp_path, rows)
    with pytest.raises(
        UserError, match=rf"x\.npz holds {what}, and size and how are for uint8 images of 1, 3"
    ):
        Arrays(path=path, **settings)
    assert Arrays(path=path).settled == {}
