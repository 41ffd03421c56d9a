"""Stamps: one content is told from another, the same way on every machine, and no start waits for it."""

import hashlib
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch.utils.data import Dataset as TorchDataset

from dalikit import Batch, Dataset, DataSpec, Split, Stamp, TensorSplit, TorchData
from dalikit.components.datasets.arrays import Arrays
from dalikit.components.datasets.mixtures import Grid25, Ring8
from dalikit.data.images import ImageSplit
from dalikit.interfaces import stamps
from dalikit.interfaces.stamps import joint_sha256
from dalikit.randomness import RandomState
from dalikit.runs import DataFacts

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 6, 5), dtype=np.uint8)
LABELS = np.arange(50) % 3
PARTS = ("train", "validation", "test")


def restated(x: np.ndarray, y: np.ndarray | None = None) -> str:
    """The digest from its definition: of data, behind the name of their type, and of labels; then of both."""
    data = hashlib.sha256(f"torch.{x.dtype}".encode() + x.tobytes())
    labels = hashlib.sha256(b"" if y is None else y.astype("<i8").tobytes())
    return hashlib.sha256(data.digest() + labels.digest()).hexdigest()


def stamp(x, y=None) -> Stamp:
    return TensorSplit(torch.from_numpy(x), None if y is None else torch.from_numpy(y)).stamp()


ROWS = arrays.array_shapes(min_dims=2, max_dims=3, max_side=9).flatmap(
    lambda shape: arrays.arrays(st.sampled_from(["uint8", "<f4", "<f8", "<i2"]), shape)
)


@given(ROWS, st.booleans(), st.integers(1, 200))
def test_it_is_the_digest_of_all_however_many_are_read_at_once(x, labelled, at_once):
    y = np.arange(len(x)) if labelled else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stamps, "AT_ONCE", at_once)
        assert stamp(x, y) == Stamp(len(x), restated(x, y), len(x))


@given(ROWS, st.data())
def test_a_single_byte_tells(x, data):
    at = data.draw(st.integers(0, x.nbytes - 1))
    other = np.frombuffer(x.tobytes(), np.uint8).copy()
    other[at] ^= 1 << data.draw(st.integers(0, 7))
    assert stamp(other.view(x.dtype).reshape(x.shape)) != stamp(x)


def test_labels_order_and_count_tell():
    known = {stamp(IMAGES, LABELS), stamp(IMAGES), stamp(IMAGES, LABELS[::-1].copy())}
    known |= {stamp(IMAGES[::-1].copy(), LABELS), stamp(IMAGES[:-1], LABELS[:-1])}
    assert len({one.sha256 for one in known}) == 5


def test_of_many_data_an_even_share_is_looked_at(monkeypatch):
    monkeypatch.setattr(stamps, "MOST_BYTES", 7 * 30)  # seven images of 6×5
    found = stamp(IMAGES)
    rows = [0, 8, 16, 24, 32, 40, 49]
    assert (found.count, found.looked_at) == (50, 7)
    assert found.sha256 == restated(IMAGES[rows])
    for row, tells in ((0, True), (49, True), (24, True), (25, False)):
        other = IMAGES.copy()
        other[row, 0, 0] ^= 1
        assert (stamp(other) != found) is tells


def test_a_datum_larger_than_all_that_may_be_read_is_looked_at_all_the_same(monkeypatch):
    monkeypatch.setattr(stamps, "MOST_BYTES", 1)
    assert stamp(IMAGES) == Stamp(50, restated(IMAGES[:1]), 1)


def test_a_part_without_data_has_one_too():
    assert stamp(IMAGES[:0]).count == stamp(IMAGES[:0]).looked_at == 0


# --- the parts of data sets ------------------------------------------------------------------------------


def test_images_are_stamped_as_they_lie_there_mirrored_or_not():
    plain, flipped = (ImageSplit(IMAGES, LABELS.astype(np.uint8), flip=flip) for flip in (False, True))
    assert plain.stamp() == flipped.stamp() == flipped.stamp() == Stamp(50, restated(IMAGES, LABELS), 50)
    rows = np.array([7, 3, 44])
    assert ImageSplit(IMAGES, LABELS, rows=rows).stamp().sha256 == restated(IMAGES[rows], LABELS[rows])
    swapped = ImageSplit((IMAGES / 255).astype(">f8")).stamp()
    assert swapped.sha256 == restated((IMAGES / 255).astype("<f8"))


def test_mapped_data_have_the_stamp_of_those_in_memory(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", IMAGES)
    held = Arrays(path=str(tmp_path / "x.npy")).stamp
    monkeypatch.setattr("dalikit.data.prepared.LIMIT", 1)
    mapped = Arrays(path=str(tmp_path / "x.npy"))
    assert isinstance(mapped.file.data["train"], np.memmap)
    assert mapped.stamp == held
    assert {part: one.count for part, one in held.items()} == {p: len(mapped.split(p)) for p in PARTS}


def test_vectors_are_stamped_as_the_file_has_them(tmp_path):
    """For means and deviations are rounded by each machine in its way."""
    vectors = np.random.default_rng(0).normal(size=(60, 3))
    np.save(tmp_path / "x.npy", vectors)
    data = Arrays(path=str(tmp_path / "x.npy"))
    assert data.stamp["train"].sha256 == restated(vectors[data._rows["train"]])


def test_what_is_drawn_afresh_is_told_by_what_it_is_drawn_by():
    grid = Grid25().stamp
    assert grid == Grid25().stamp
    assert [(one.count, one.looked_at) for one in grid.values()] == [(100_000, 0), (2_500, 0), (2_500, 0)]
    others = [Grid25(sigma=0.06), Ring8(), Ring8(sigma=0.02), Ring8(radius=1.1)]
    assert len({one["train"].sha256 for one in (grid, *(data.stamp for data in others))}) == 5


class Theirs(Split):
    """A split as a plugin has it that says nothing of stamps: noisy data, each of which takes a while."""

    def __init__(self, count, shift=0):
        self.count, self.shift, self.taken = count, shift, 0

    def __len__(self):
        return self.count

    def take(self, index, rng):
        self.taken += len(index)
        return Batch(index[:, None] + torch.rand(len(index), 4, generator=rng) + self.shift, index % 2)


class TheirData(Dataset):
    name, spec, preparation = "theirs", DataSpec((4,)), "made by the test"

    def __init__(self, count=3000, shift=0):
        self.parts = {part: Theirs(count, shift) for part in PARTS}

    def split(self, part):
        return self.parts[part]


def test_a_data_set_that_says_nothing_of_stamps_has_some():
    data = TheirData()
    before = RandomState.captured()
    found = data.stamp
    after = RandomState.captured()
    assert found == TheirData().stamp != TheirData(shift=1).stamp
    assert (found["train"].count, found["train"].looked_at) == (3000, 1000)
    assert data.parts["train"].taken <= 1001
    assert before.python == after.python
    assert all(torch.equal(before.tensors[k], after.tensors[k]) for k in before.tensors)


def test_it_is_made_once():
    data = TheirData()
    assert data.stamp is data.stamp
    assert data.parts["test"].taken <= 1001


class Slow(TorchDataset):
    def __init__(self):
        self.read = 0

    def __len__(self):
        return 4000

    def __getitem__(self, i):
        self.read += 1
        return torch.full((2,), i + float(np.random.rand() > 2)), i % 3


def test_torch_data_are_read_whole_where_they_are_a_tensor_and_else_some_of_them():
    x, y = torch.from_numpy(IMAGES)[:, None], torch.from_numpy(LABELS)
    tensors = torch.utils.data.TensorDataset(x, y)
    given = TorchData(tensors, test=x, value_range=(-1.0, 1.0))
    assert given.stamp["test"].sha256 == restated(IMAGES)
    rows = given.split("train").rows.numpy()
    assert given.stamp["train"].sha256 == restated(IMAGES[rows], LABELS[rows])
    slow = Slow()
    data = TorchData(slow, value_range=None)
    read = slow.read
    assert data.stamp["train"].looked_at == 1000
    assert slow.read - read <= 1000 + 400 + 360 + 3  # all of the smaller parts, and a first one of each


# --- what a run keeps of them ----------------------------------------------------------------------------


def facts(parts, **also):
    known = {"x_shape": (4,), "value_range": None, "classes": ("a", "b"), "preparation": "some", **also}
    return DataFacts(**known, stamp=parts)


def test_runs_keep_stamps_and_those_of_before_can_be_read():
    kept = DataFacts.of(TheirData())
    text = kept.model_dump_json()
    assert DataFacts.model_validate_json(text) == kept
    assert json.loads(text)["stamp"]["test"]["count"] == 3000
    assert DataFacts.model_validate({"x_shape": [4], "value_range": None}).stamp is None


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ({"test": Stamp(30, "b", 30)}, ["the test part had 20 data, now 30"]),
        ({"test": Stamp(20, "c", 20)}, ["the test part has 20 data as before, but others"]),
        (
            {"train": Stamp(1, "a", 1), "test": Stamp(20, "c", 20)},
            ["the train part had 2,000 data, now 1", "the test part has 20 data as before, but others"],
        ),
        ({"test": Stamp(20, "c", 10)}, []),  # an even share of other size tells nothing
        ({}, []),
    ],
)
def test_what_differs_is_said_by_part(now, says):
    then = {"train": Stamp(2000, "a", 2000), "test": Stamp(20, "b", 20)}
    assert list(facts(then).differences(facts({**then, **now}, preparation="other words"))) == says


def test_a_part_that_is_gone_and_another_shape_are_said():
    then = {"train": Stamp(2000, "a", 2000), "test": Stamp(20, "b", 20)}
    gone = facts({"train": then["train"]}, x_shape=(5,), classes=("a", "b", "c"), value_range=(0.0, 1.0))
    assert facts(then).differences(gone) == (
        "the shape was (4,), now (5,)",
        "the range was None, now (0.0, 1.0)",
        "the number of classes was 2, now 3",
        "the test part had 20 data, now 0",
    )
    assert facts(then).differences(facts(then, classes=("b", "a"))) == ("the classes have other names",)


def test_without_stamps_what_was_said_of_them_is_compared():
    now = facts({"train": Stamp(1, "a", 1)}, preparation="others")
    assert facts(None).differences(now) == ("they were told of as 'some', now as 'others'",)
    assert facts(None).differences(facts({"train": Stamp(1, "a", 1)})) == ()


def test_one_digest_stands_for_all_parts():
    one = {"train": Stamp(2, "a", 2), "test": Stamp(1, "b", 1)}
    assert joint_sha256(one) == joint_sha256(dict(reversed(one.items())))
    others = [{**one, "test": Stamp(1, "c", 1)}, {**one, "test": Stamp(2, "b", 1)}, {"train": one["train"]}]
    others.append({"test": one["train"], "train": one["test"]})
    assert len({joint_sha256(each) for each in (one, *others)}) == 5
