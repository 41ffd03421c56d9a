"""Labels travel with the data in one read, count as by hand, and leave the order of data as it was."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from players import dali
from sklearn.datasets import load_digits
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Subset

from dalikit import TorchData, testing
from dalikit.components.datasets.arrays import Arrays
from dalikit.components.datasets.cifar10 import CIFAR10
from dalikit.components.datasets.digits import Digits
from dalikit.components.datasets.mixtures import Grid25, Ring8
from dalikit.components.datasets.mnist import MNIST, FashionMNIST
from dalikit.components.datasets.stacked_mnist import StackedMNIST
from dalikit.data.images import ImageSplit
from dalikit.errors import UnfitError
from dalikit.interfaces import Split, TensorSplit
from dalikit.training import Trainer
from dalikit.training.stream import BatchStream

PARTS = ("train", "validation", "test")


def shuffled(split, seed=0):
    """All of a part in one read, in another order than it lies."""
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))
    return split.take(order, torch.Generator().manual_seed(seed))


def test_digits_bear_their_labels():
    source = load_digits()
    bytes_of = [np.rint(image * 255 / 16).astype(np.uint8).tobytes() for image in source.images]
    label_of = dict(zip(bytes_of, source.target.tolist(), strict=True))
    data = Digits()
    assert data.spec.classes == tuple("0123456789")
    for part in PARTS:
        x, y = shuffled(data.split(part))
        assert y.dtype == torch.int64
        assert [label_of[image.numpy().tobytes()] for image in x] == y.tolist()


@pytest.mark.parametrize("data", [Ring8(), Grid25(), Ring8(sigma=0.03, radius=3.0)])
def test_a_mixtures_label_is_the_mode_that_was_drawn(data):
    assert data.spec.classes == tuple(f"mode {i}" for i in range(len(data.means)))
    x, y = data.split("train").take(torch.arange(5000), torch.Generator().manual_seed(0))
    assert y.dtype == torch.int64
    assert torch.equal(torch.cdist(x, data.means).argmin(1), y)  # modes lie ten σ apart and more
    assert set(y.tolist()) == set(range(len(data.means)))
    counts = data.split("train").class_counts(len(data.means))
    assert counts.unique().numel() == 1
    assert counts.min() > 0


def grey(labels, *size):
    """uint8 images that are 20 times their label throughout."""
    return np.broadcast_to(labels.reshape(-1, *[1] * len(size)) * 20, (len(labels), *size)).astype(np.uint8)


@pytest.mark.parametrize(
    ("dataset", "size"), [(MNIST, (28, 28)), (FashionMNIST, (28, 28)), (CIFAR10, (32, 32, 3))]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, ">u2"])
def test_prepared_images_bear_the_labels_beside_them(dataset, size, dtype, tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 90), ("test", 30)):
        labels = rng.integers(0, 10, count).astype(dtype)
        arrays |= {f"{part}_labels": labels, f"{part}_images": grey(labels.astype(int), *size)}
    np.savez(tmp_path / f"{dataset.name}.npz", **arrays)
    data = dataset(tmp_path)
    assert len(data.spec.classes) == 10
    seen = Counter()
    for part in PARTS:
        x, y = shuffled(data.split(part))
        assert y.dtype == torch.int64
        assert torch.equal(x[:, 0, 0, 0].long(), 20 * y)
        assert data.split(part).class_counts(10).tolist() == [Counter(y.tolist())[i] for i in range(10)]
        seen += Counter(y.tolist())
    assert seen == Counter(np.concatenate([arrays["train_labels"], arrays["test_labels"]]).tolist())


def test_the_names_of_classes():
    assert MNIST.spec.classes == tuple("0123456789")
    assert FashionMNIST.spec.classes[::9] == ("T-shirt/top", "ankle boot")
    assert CIFAR10().spec.classes[3:6] == ("cat", "deer", "dog")
    assert [StackedMNIST.spec.classes[mode] for mode in (0, 42, 999)] == ["000", "042", "999"]


def test_stacked_digits_label_what_they_stack(tmp_path):
    digits = np.random.default_rng(0).integers(0, 10, 5100).astype(np.uint8)
    images = grey(digits.astype(int), 28, 28)
    parts = {
        f"{part}_{kind}": a
        for part in ("train", "test")
        for kind, a in (("images", images), ("labels", digits))
    }
    np.savez(tmp_path / "mnist.npz", **parts)
    data = StackedMNIST(tmp_path)
    for part in PARTS:
        x, y = data.split(part).take(torch.arange(500), torch.Generator().manual_seed(1))
        first, second, third = x[:, :, 0, 0].long().div(20, rounding_mode="floor").unbind(1)
        assert torch.equal(y, 100 * first + 10 * second + third)
        assert [data.spec.classes[label] for label in y[:5]] == [
            f"{a}{b}{c}" for a, b, c in zip(first[:5], second[:5], third[:5], strict=True)
        ]
    split, rng = data.split("test"), torch.Generator().manual_seed(4)
    chosen = torch.randint(5100, (6, 3), generator=torch.Generator().manual_seed(4))
    x = split.take(torch.arange(6), rng).x
    assert torch.equal(x, torch.from_numpy(images)[chosen])
    ones, counts = np.bincount(digits, minlength=10), split.class_counts(1000)
    share = [ones[mode // 100] * ones[mode // 10 % 10] * ones[mode % 10] / 5100**3 for mode in range(1000)]
    assert np.allclose(counts / counts.sum(), share)  # in proportion, for no triple is there twice


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint64])
def test_the_classes_of_arrays_are_the_labels_that_occur(tmp_path, dtype):
    train, test = np.array([40, 7, 7, 3] * 10, dtype), np.array([7, 100, 3], dtype)
    images = {"train_images": grey(np.arange(40), 8, 8), "test_images": grey(np.arange(3), 8, 8)}
    np.savez(tmp_path / "x.npz", **images, train_labels=train, test_labels=test)
    data = Arrays(path=str(tmp_path / "x.npz"))
    assert data.spec.classes == ("3", "7", "40", "100")  # by number, whatever the file's order
    for part in ("train", "validation"):
        x, y = data.split(part).take(torch.arange(len(data.split(part))), torch.Generator())
        named = {
            tuple(image.ravel()): label for image, label in zip(images["train_images"], train, strict=True)
        }
        assert [int(data.spec.classes[i]) for i in y] == [
            named[tuple(image.flatten().tolist())] for image in x
        ]
    x, y = data.split("test").take(torch.arange(3), torch.Generator())
    assert dict(zip((x[:, 0, 0, 0] // 20).tolist(), y.tolist(), strict=True)) == {0: 1, 1: 3, 2: 0}
    counts = [data.split(part).class_counts(4) for part in ("train", "validation")]
    assert sum(counts).tolist() == [10, 20, 10, 0]
    testing.check_dataset(data)
    np.savez(tmp_path / "bare.npz", **images)
    bare = Arrays(path=str(tmp_path / "bare.npz"))
    assert bare.spec.classes is None
    assert bare.split("train").take(torch.arange(3), torch.Generator()).y is None
    np.savez(tmp_path / "half.npz", **images, test_labels=test)
    assert Arrays(path=str(tmp_path / "half.npz")).spec.classes == ("3", "7", "100")


class Named(TorchDataset):
    """As torchvision's data sets are: `classes` names the labels."""

    def __init__(self, classes=("cat", "dog", "owl"), step=1):
        self.classes, self.step = classes, step

    def __len__(self):
        return 45

    def __getitem__(self, i):
        return torch.full((1, 4, 4), i / 45), self.step * (i % 3)


def test_torch_data_name_their_classes_themselves_or_are_given_them():
    def classes(source, **given):
        return TorchData(source, value_range=(0.0, 1.0), **given).spec.classes

    assert classes(Named()) == ("cat", "dog", "owl")
    assert classes(Named(["cat", 7, "owl"])) == ("cat", "7", "owl")
    assert classes(Named(), classes=("a", "b", "c")) == ("a", "b", "c")
    assert classes(Named(None)) is None
    assert classes(Subset(Named(), range(30))) is None
    assert classes(Subset(Named(), range(30)), classes=("cat", "dog", "owl")) == ("cat", "dog", "owl")


def test_torch_data_read_labels_with_the_data():
    data = TorchData(Named(), value_range=(0.0, 1.0))
    for part in PARTS:
        split = data.split(part)
        x, y = shuffled(split)
        assert torch.equal((x[:, 0, 0, 0] * 45).round().long() % 3, y)
        assert split.class_counts(3).tolist() == [Counter(y.tolist())[i] for i in range(3)]
    testing.check_dataset(data)
    unnamed = TorchData(Named(None), value_range=(0.0, 1.0))
    assert shuffled(unnamed.split("train")).y is not None  # by which codes can be measured


@st.composite
def labelled(draw):
    classes = draw(st.integers(1, 12))
    labels = draw(st.lists(st.integers(0, classes - 1), max_size=60))
    return classes, labels


@given(labelled(), st.sampled_from(["int64", "uint8", ">u2"]))
def test_labels_count_as_by_hand(given, dtype):
    classes, labels = given
    by_hand = [sum(label == one for label in labels) for one in range(classes)]
    n = len(labels)
    splits = [
        TensorSplit(torch.zeros(n, 2), torch.tensor(labels, dtype=torch.int64)),
        ImageSplit(np.zeros((n, 3, 3), np.uint8), np.array(labels, dtype)),
        ImageSplit(np.zeros((n, 3, 3), np.uint8), np.array(labels, dtype), flip=True),
    ]
    for split in splits:
        counts = split.class_counts(classes)
        assert (counts.dtype, counts.tolist()) == (torch.int64, by_hand)


def test_labels_of_more_data_than_are_read_at_once():
    labels = torch.arange(2500) % 7

    class Read(TensorSplit):
        reads = ()

        def take(self, index, rng):
            self.reads += (len(index),)
            return super().take(index, rng)

    split = Read(torch.zeros(2500, 2), labels)
    assert split.class_counts(8).tolist() == [358] + 6 * [357] + [0]
    assert sum(split.reads) == 2500
    assert max(split.reads) <= 1000


@pytest.mark.parametrize("wrong", [3, -1])
@pytest.mark.parametrize(
    "split",
    [
        lambda labels: TensorSplit(torch.zeros(4, 2), torch.tensor(labels)),
        lambda labels: ImageSplit(np.zeros((4, 3, 3), np.uint8), np.array(labels)),
    ],
)
def test_labels_that_are_none_of_the_classes(split, wrong):
    with pytest.raises(UnfitError, match=f"a label of the data is {wrong}, which is none of the 3 classes"):
        split([0, 1, wrong, 2]).class_counts(3)


def test_without_labels_none_are_counted():
    for split in (TensorSplit(torch.zeros(4, 2)), ImageSplit(np.zeros((4, 3, 3), np.uint8))):
        assert split.take(torch.arange(2), torch.Generator()).y is None
        assert split.class_counts(3).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (None, "method.conditional=true needs data with labels, and dataset 'mnist' has none"),
        (np.arange(60) % 12, "dataset 'mnist': a label of the data is 10, which is none of the 10 classes"),
    ],
)
def test_labels_that_a_method_cannot_be_conditional_on(cli, tmp_path, labels, says):
    images = np.zeros((60, 28, 28), np.uint8)
    bearing = {} if labels is None else {"train_labels": labels, "test_labels": labels}
    np.savez(tmp_path / "mnist.npz", train_images=images, test_images=images, **bearing)
    words = ["train", "--dataset", "mnist", "--data-root", tmp_path, "--backbone", "mlp", "--steps", 1]
    done = cli(*words, "--set", "method.conditional=true", "--out", tmp_path / "run")
    assert (done.returncode, done.stderr) == (2, f"Error: {says}\n")
    assert not (tmp_path / "run").exists()


def test_labels_that_are_none_of_the_classes_are_nothing_to_a_method_that_reads_none():
    data = TorchData(Named(step=-1), value_range=(0.0, 1.0))  # 0, -1 and -2, as for data without a class
    trainer = Trainer(dali(spec=data.spec), data, steps=1, batch_size=8)
    trainer.fit()
    assert trainer.step == 1


def batches(split: Split, count=7, size=8, seed=5):
    stream = BatchStream(split, size, seed)
    return [stream.next() for _ in range(count)], stream.rng


def test_the_order_of_data_does_not_depend_on_labels():
    x, labels = torch.arange(20.0)[:, None], torch.arange(20) % 3
    images = np.arange(20 * 9, dtype=np.uint8).reshape(20, 3, 3)
    pairs = [
        (TensorSplit(x), TensorSplit(x, labels)),
        (ImageSplit(images), ImageSplit(images, labels.numpy())),
    ]
    rng = torch.Generator().manual_seed(5)
    expected = []
    for _ in range(4):  # epochs of two batches of eight; four data are left out of each
        order = torch.randperm(20, generator=rng)
        expected += [order[:8], order[8:16]]
    for bare, bearing in pairs:
        (without, one), (with_labels, two) = batches(bare), batches(bearing)
        assert torch.equal(one.get_state(), two.get_state())
        assert torch.equal(one.get_state(), rng.get_state())
        for a, b, index in zip(without, with_labels, expected, strict=False):
            assert a.y is None
            assert torch.equal(a.x, b.x)
            assert torch.equal(b.y, labels[index])
    assert torch.equal(torch.cat([b.x for b in batches(TensorSplit(x))[0]]), x[torch.cat(expected[:7])])


def test_a_mixtures_draws_are_modes_and_then_noise():
    data = Grid25(sigma=0.1)
    found, _ = batches(data.split("train"), count=3)
    rng = torch.Generator().manual_seed(5)
    torch.randperm(100_000, generator=rng)
    for x, y in found:
        modes = torch.randint(25, (8,), generator=rng)
        noise = torch.randn(8, 2, generator=rng)
        assert torch.equal(y, modes)
        torch.testing.assert_close(x, data.means[modes] + 0.1 * noise)
