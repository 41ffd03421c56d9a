"""Torch data sets and tensors as data sets: the same data, the same training, and clear refusals."""

import random

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, IterableDataset, Subset, TensorDataset
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms
from torchvision.datasets import FakeData

import dalikit
from dalikit import TorchData, testing
from dalikit.components.games.gan import GAN
from dalikit.components.methods.dali import DALI
from dalikit.components.metrics.codes import Codes
from dalikit.components.metrics.reconstruction import Reconstruction
from dalikit.components.networks.dcgan import DCGANDiscriminator, DCGANEncoder, DCGANGenerator
from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.data import items
from dalikit.errors import UnfitError, UserError
from dalikit.evaluation import scoring
from dalikit.inference import Model
from dalikit.interfaces import Dataset, DataSpec, TensorSplit
from dalikit.randomness import RandomState
from dalikit.training import Trainer

RNG = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (60, 1, 8, 8), generator=RNG, dtype=torch.uint8)
LABELS = torch.arange(60) % 3
BYTES = (-1.0, 1.0)


class OnOneTensor(Dataset):
    """What a user would write by hand for the same parts."""

    name, spec, preparation = "by-hand", DataSpec((1, 8, 8), BYTES), "made by the test"

    def __init__(self, parts):
        self.parts = parts

    def split(self, part):
        return TensorSplit(self.parts[part])


class Pictures(TorchDataset):
    """PIL pictures, as most of torchvision's data sets give them."""

    def __init__(self, mode="RGB", size=(12, 10), count=20):
        self.mode, self.size, self.count = mode, size, count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        return Image.new("L", self.size, 10 * i).convert(self.mode), i % 4


def taken(data, part="train", count=4, seed=0):
    return data.split(part).take(torch.arange(count), torch.Generator().manual_seed(seed)).x


def method(x_shape):
    torch.manual_seed(0)
    spec = DataSpec(x_shape, BYTES)
    generator = DCGANGenerator(4, spec, width=4)
    discriminator, posterior = DCGANDiscriminator(spec, width=4, hidden=8), Diagonal(4)
    encoder = DCGANEncoder(discriminator.feature_shape, posterior.heads(), hidden=8)
    return DALI(
        generator=generator, discriminator=discriminator, encoder=encoder, family=posterior, game=GAN()
    )


def test_it_is_a_public_name():
    assert dalikit.TorchData is TorchData
    assert "TorchData" in dir(dalikit)


@pytest.mark.parametrize(
    "wrap", [TensorDataset, lambda x: TensorDataset(x, LABELS[: len(x)]), lambda x: x, list]
)
def test_training_on_it_equals_training_on_the_tensor(wrap):
    given = {"train": IMAGES[:40], "validation": IMAGES[40:50], "test": IMAGES[50:]}
    wrapped = TorchData(**{part: wrap(x) for part, x in given.items()}, value_range=BYTES)
    learned = []
    for data in (wrapped, OnOneTensor(given)):
        trainer = Trainer(method((1, 8, 8)), data, steps=12, batch_size=16)  # six epochs
        trainer.fit()
        learned.append(trainer.state().tensors)
    assert learned[0].keys() == learned[1].keys()
    assert [name for name in learned[0] if not torch.equal(learned[0][name], learned[1][name])] == []


def test_a_trained_model_is_measured_on_it():
    data = TorchData(TensorDataset(IMAGES, LABELS), value_range=BYTES, name="mine")
    trainer = Trainer(method(data.spec.x_shape), data, steps=2, batch_size=16)
    trainer.fit()
    model = Model(trainer.inference)
    x = torch.cat([batch.x for batch in scoring.data(data, "test", model.method)])
    assert model.reconstruct(x).shape == x.shape == (6, 1, 8, 8)
    makers = {m.name: lambda part, m=m: m(data, part) for m in (Reconstruction, Codes)}
    scores, skipped = scoring.score_all(makers, model.method, "validation")
    assert skipped == {}
    assert {s.metric for s in scores} == {"reconstruction", "codes"}
    assert data.name == "mine"
    assert TorchData.name == "torch-data"


SOURCES = {
    "a tensor": (IMAGES, (1, 8, 8)),
    "grey matrices": (IMAGES[:, 0], (1, 8, 8)),
    "tensors with labels": (TensorDataset(IMAGES, LABELS), (1, 8, 8)),
    "channels last": (IMAGES.expand(-1, 3, -1, -1).permute(0, 2, 3, 1), (3, 8, 8)),
    "a subset": (Subset(TensorDataset(IMAGES), range(5, 50)), (1, 8, 8)),
    "two together": (ConcatDataset([TensorDataset(IMAGES), TensorDataset(IMAGES)]), (1, 8, 8)),
    "colour pictures": (Pictures(), (3, 10, 12)),
    "grey pictures": (Pictures("L"), (1, 10, 12)),
    "FakeData": (FakeData(30, (3, 9, 9), transform=transforms.PILToTensor()), (3, 9, 9)),
    "arrays": ([np.full((6, 5, 3), i, np.uint8) for i in range(30)], (3, 6, 5)),
}


@pytest.mark.parametrize("name", SOURCES)
def test_it_is_a_data_set(name):
    source, shape = SOURCES[name]
    data = TorchData(source, value_range=BYTES)
    assert data.spec.x_shape == shape
    testing.check_dataset(data)
    assert f"{len(source)} given in Python" in data.preparation


def test_floats_lie_in_their_range():
    random_crop = transforms.Compose([transforms.RandomCrop(7), transforms.ToTensor()])
    data = TorchData(FakeData(30, (3, 9, 9), transform=random_crop), value_range=(0.0, 1.0))
    testing.check_dataset(data)
    points = TorchData(torch.randn(40, 2, generator=torch.Generator().manual_seed(1)), value_range=None)
    assert points.spec.x_shape == (2,)
    testing.check_dataset(points)


def test_parts_that_are_not_given_are_drawn_from_the_training_data():
    def contents(data, part):
        split = data.split(part)
        return set(split.take(torch.arange(len(split)), torch.Generator()).x.flatten().tolist())

    numbers = torch.arange(200, dtype=torch.float32)[:, None]
    data = TorchData(numbers, value_range=None)
    parts = [contents(data, part) for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [162, 18, 20]
    assert set.union(*parts) == set(range(200))
    assert parts == [
        contents(TorchData(numbers, value_range=None), p) for p in ("train", "validation", "test")
    ]
    assert max(parts[2]) - min(parts[2]) > 100  # not the last ones, which may all be of one class
    given = TorchData(numbers, numbers[:7], value_range=None)
    assert [len(given.split(p)) for p in ("train", "validation", "test")] == [180, 20, 7]


def test_labels_are_those_of_the_items():
    data = TorchData(
        TensorDataset(IMAGES.float() * 0 + LABELS[:, None, None, None], LABELS), value_range=None
    )
    for part in ("train", "validation", "test"):
        split = data.split(part)
        index = torch.arange(len(split)).flip(0)
        x, y = split.take(index, torch.Generator())
        assert y.tolist() == x[:, 0, 0, 0].tolist()
    one, rng = torch.tensor([0]), torch.Generator()
    assert TorchData(Pictures(), value_range=BYTES).split("train").take(one, rng).y.dtype == torch.int64
    assert TorchData(IMAGES, value_range=BYTES).split("train").take(one, rng).y is None


@pytest.mark.parametrize(
    ("second", "expected"),
    [(3, 3), (np.int64(3), 3), (torch.tensor(3), 3), (torch.tensor([3]), 3), (np.array(3), 3)]
    + [(x, None) for x in (2.5, True, None, "cat", {"boxes": 1}, torch.tensor([1, 2]), torch.tensor(0.5))],
)
def test_labels_are_whole_numbers(second, expected):
    assert items.label((IMAGES[0], second)) == expected


def shaken(x):
    """A transform that draws from all three generators."""
    return x.float() / 255 * torch.rand(()) * random.random() * np.random.rand()


class Shaken(TorchDataset):
    def __len__(self):
        return len(IMAGES)

    def __getitem__(self, i):
        return shaken(IMAGES[i])


def test_random_transforms_repeat_and_leave_the_generators_alone():
    before = RandomState.captured()
    data = TorchData(Shaken(), value_range=(0.0, 1.0))
    first, again, other = taken(data, seed=1), taken(data, seed=1), taken(data, seed=2)
    after = RandomState.captured()
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert before.python == after.python
    assert all(torch.equal(before.tensors[k], after.tensors[k]) for k in before.tensors)
    split, rng = data.split("train"), torch.Generator().manual_seed(1)
    factors = [
        (split.take(torch.tensor(rows), rng).x / split.take(torch.tensor(rows), torch.Generator()).x).mean(
            (1, 2, 3)
        )
        for rows in ([0, 1], [2, 3])
    ]
    assert len(set(torch.cat(factors).tolist())) == 4  # every datum of every batch is drawn for itself


def test_training_with_random_transforms_repeats_and_resumes():
    def fresh(steps):
        return Trainer(method((1, 8, 8)), TorchData(Shaken(), value_range=BYTES), steps=steps, batch_size=16)

    whole, half = fresh(8), fresh(8)
    whole.fit()
    half.steps = 3
    half.fit()
    resumed = fresh(8)
    resumed.load_state(half.state())
    resumed.fit()
    one, two = whole.state().tensors, resumed.state().tensors
    changed = [name for name in one if not torch.equal(one[name], two[name])]
    assert changed == []


@pytest.mark.parametrize(
    ("mode", "shape"), [("1", (1, 10, 12)), ("P", (3, 10, 12)), ("CMYK", (3, 10, 12)), ("RGBA", (4, 10, 12))]
)
def test_pictures_of_other_modes(mode, shape):
    x = items.datum(Image.new("RGB", (12, 10), (255, 255, 255)).convert(mode))
    assert (x.shape, x.dtype) == (torch.Size(shape), torch.uint8)
    assert (x == 255).all()


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        (np.zeros((28, 28, 3), np.uint8), (3, 28, 28)),
        (np.zeros((3, 28, 28), np.uint8), (3, 28, 28)),
        (np.zeros((28, 28)), (1, 28, 28)),
        (np.zeros((4, 4, 3), ">f4")[::-1], (3, 4, 4)),
        (torch.zeros(28, 28, 3, dtype=torch.uint8), (3, 28, 28)),
        (torch.zeros(3, 28, 3, dtype=torch.uint8), (3, 28, 3)),
        (torch.zeros(64, 8, 4), (64, 8, 4)),  # floats of three dimensions may be anything
        (torch.zeros(5), (5,)),
        ([torch.zeros(5), 1], (5,)),
    ],
)
def test_the_shape_of_a_datum(given, shape):
    assert tuple(items.datum(given).shape) == shape


class Endless(IterableDataset):
    def __iter__(self):
        return iter(IMAGES)


class NoLength(TorchDataset):
    def __getitem__(self, i):
        return IMAGES[0]


def sizes():
    return [torch.zeros(3, 8 + (i > 30), 8, dtype=torch.uint8) for i in range(60)]


@pytest.mark.parametrize(
    ("source", "value_range", "says"),
    [
        (Endless(), BYTES, r"The train part is Endless: a torch data set of the map style"),
        (NoLength(), BYTES, r"The train part is NoLength: .* with a length"),
        (torch.tensor(1.0), BYTES, r"The train part is Tensor: .* tensor \(N, \.\.\.\)"),
        ({"x": IMAGES}, BYTES, "The train part is dict"),
        ([], BYTES, "The train part is empty"),
        (IMAGES[:0], BYTES, "The train part is empty"),
        (IMAGES[:1], BYTES, "has 1 left to divide: give the other parts too"),
        (IMAGES, (1.0, 1.0), r"value_range is \(1\.0, 1\.0\)"),
        (IMAGES, None, r"The train part is uint8: value_range=\(low, high\)"),
        (IMAGES.long(), BYTES, "Item 0 of the train part is torch.int64; uint8 or floats"),
        ([{"image": IMAGES[0]}] * 9, BYTES, "Item 0 of the train part is dict; a tensor, a picture"),
        (["cat.png"] * 9, BYTES, "Item 0 of the train part is str"),
        ([np.zeros((8, 8), np.int32)] * 9, BYTES, "Item 0 of the train part is int32"),
        (Pictures("I"), BYTES, "Item 0 of the train part is int32"),
        (IMAGES.float(), BYTES, r"reach from \d+ to 2\d\d, outside the value_range \(-1, 1\)"),
        (IMAGES.float() * float("nan"), BYTES, "The train part: the datum at index 0 holds a"),
    ],
)
def test_what_cannot_be_wrapped_is_refused_in_one_line(source, value_range, says):
    with pytest.raises(UserError, match=says) as raised:
        TorchData(source, value_range=value_range)
    assert "\n" not in str(raised.value)


def test_a_value_that_is_not_finite_is_found_with_its_index():
    """Of a tensor beforehand, and of what is read item by item when it is read; whatever the range."""
    vectors = torch.zeros(5000, 3)
    vectors[4321, 2] = float("inf")
    with pytest.raises(UserError, match="The train part: the datum at index 4321 holds a value that is NaN"):
        TorchData(vectors, value_range=None)
    data = TorchData(list(vectors), vectors[:9], vectors[:9], value_range=None).split("train")
    data.take(torch.tensor([4320]), torch.Generator())
    with pytest.raises(UnfitError, match="Item 4321 of the train part holds a value that is NaN"):
        data.take(torch.tensor([7, 4321]), torch.Generator())


@pytest.mark.parametrize("mixed", [sizes(), [*IMAGES[:30], *(IMAGES[:30].float() / 255)]])
def test_items_of_differing_shapes_or_types_are_refused(mixed):
    data = TorchData(mixed, value_range=BYTES)
    with pytest.raises(
        UnfitError, match=r"Item \d+ of the train part is torch\.\w+ \(.*; the first is .*resizes"
    ):
        taken(data, count=len(data.split("train")))
    with pytest.raises(UnfitError, match=r"Item 0 of the test part is torch\.uint8 \(1, 8, 8\)"):
        TorchData(torch.zeros(9, 3, 8, 8, dtype=torch.uint8), IMAGES, value_range=BYTES)
