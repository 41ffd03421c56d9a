"""Vectors in a file: divided by a hash of each row, centred and scaled by the training part alone."""

import numpy as np
import pytest
import torch

from dalikit import testing
from dalikit.components.datasets.arrays import Arrays
from dalikit.data import prepared
from dalikit.errors import UserError

RNG = np.random.default_rng(0)
PARTS = ("train", "validation", "test")


def whole(data, part):
    split = data.split(part)
    return split.take(torch.arange(len(split)), torch.Generator())


def test_each_column_is_centred_and_scaled_by_the_training_part(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "CHUNK", 512)  # some rows at once
    rows = RNG.normal([3, -1e6, 0, 1e-3], [2, 5, 1, 0.1], (500, 4))
    rows = np.concatenate([rows, np.full((500, 1), 0.1)], 1)
    np.save(tmp_path / "x.npy", rows)
    data = Arrays(path=str(tmp_path / "x.npy"))
    assert data.spec.x_shape == (5,)
    assert data.spec.value_range is None
    assert (data.backbone, data.fitting) == ("mlp", None)
    train = whole(data, "train").x.double()
    torch.testing.assert_close(train.mean(0), torch.zeros(5).double(), rtol=0, atol=1e-5)
    deviation = torch.tensor([1.0, 1, 1, 1, 0]).double()
    torch.testing.assert_close(train.std(0, correction=0), deviation, rtol=0, atol=1e-5)
    mean, divisor = map(np.array, data.standardization)
    assert divisor[4] == 1
    again = np.concatenate([whole(data, part).x.double().numpy() * divisor + mean for part in PARTS])
    np.testing.assert_allclose(np.sort(again, 0), np.sort(rows, 0), rtol=1e-6, atol=1e-5)
    assert torch.equal(data.scale(train.float()), train.float())
    testing.check_dataset(data)
    assert data.introduction()[0].startswith("500 vectors of 5 numbers → ")


@pytest.mark.parametrize("dtype", ["uint8", "int64", ">u2", ">f8", "<f2"])
def test_numbers_of_any_kind(tmp_path, dtype):
    rows = RNG.integers(0, 200, (60, 3)).astype(dtype)
    np.savez(tmp_path / "x.npz", data=rows, labels=np.arange(60) % 2)
    data = Arrays(path=str(tmp_path / "x.npz"))
    train = whole(data, "train")
    assert train.x.dtype == torch.float32
    assert abs(train.x.mean()) < 1e-5
    assert data.spec.classes == ("0", "1")
    assert data.standardization[0] == pytest.approx(rows[data._rows["train"]].astype(float).mean(0))
    testing.check_dataset(data)


def test_a_test_part_that_is_given_does_not_move_the_mean(tmp_path):
    train, test = RNG.normal(size=(80, 2)), RNG.normal(9, 1, (7, 2))
    np.savez(tmp_path / "x.npz", train_images=train, test_images=test)
    data = Arrays(path=str(tmp_path / "x.npz"))
    assert len(data.split("test")) == 7
    assert abs(np.array(data.standardization[0])).max() < 1
    assert whole(data, "test").x.min() > 3
    with pytest.raises(UserError, match="holds vectors, and flip is for images"):
        Arrays(path=str(tmp_path / "x.npz"), flip=True)


@pytest.mark.parametrize(
    ("far", "says"), [(1e200, r" to 1e\+200 are too large to be centred"), (-4e38, r"values -4e\+38 to ")]
)
def test_numbers_beyond_32_bits_are_refused_before_training(tmp_path, far, says):
    rows = RNG.normal(size=(60, 3))
    rows[-1, 1] = far
    np.save(tmp_path / "x.npy", rows)
    with pytest.raises(UserError, match=says):
        Arrays(path=str(tmp_path / "x.npy"))
    rows[-1, 1] = 3e38
    np.save(tmp_path / "x.npy", rows)
    data = Arrays(path=str(tmp_path / "x.npy"))
    assert np.isfinite(np.array(data.standardization, np.float32)).all()
    assert all(whole(data, part).x.isfinite().all() for part in PARTS)


@pytest.mark.parametrize("shape", [(60, 5), (60, 8, 8)])
def test_sorted_by_class_or_shuffled_the_parts_are_the_same(tmp_path, shape):
    rows, labels = RNG.integers(0, 256, shape).astype(np.uint8), np.repeat([3, 5, 9], 20)
    order = RNG.permutation(60)
    np.savez(tmp_path / "sorted.npz", images=rows, labels=labels)
    np.savez(tmp_path / "shuffled.npz", images=rows[order], labels=labels[order])
    one, other = (Arrays(path=str(tmp_path / name)) for name in ("sorted.npz", "shuffled.npz"))
    for part in PARTS:
        (x, y), (again, labels) = whole(one, part), whole(other, part)
        assert torch.equal(y, labels)
        torch.testing.assert_close(x, again)  # means add up in another order
    assert sum(one.split(part).class_counts(3) for part in PARTS).tolist() == [20, 20, 20]
    assert ", 3 classes (3 20, 5 20, 9 20) → " in one.introduction()[0]


def test_floats_of_images_alone_have_a_range_that_is_kept(tmp_path):
    levels, found = RNG.integers(0, 256, (60, 8, 8)).astype(np.uint8), {}
    for name, array in {"bytes": levels, "floats": levels / 2, "vectors": levels[:, 0] / 2}.items():
        np.save(tmp_path / f"{name}.npy", array)
        found[name] = Arrays(path=str(tmp_path / f"{name}.npy"), high=128.0).float_range
    assert found == {"bytes": None, "floats": (0.0, 128.0), "vectors": None}
