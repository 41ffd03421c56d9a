"""Horizontal flips: in training alone, for each image by itself, from the random state that was given."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from dalikit import testing
from dalikit.assembly import build, resolve
from dalikit.assembly.registry import Registry
from dalikit.components.datasets.arrays import Arrays
from dalikit.components.datasets.celeba import CelebA
from dalikit.components.datasets.cifar10 import CIFAR10
from dalikit.components.datasets.folder import Folder
from dalikit.components.datasets.mnist import MNIST
from dalikit.data.images import ImageSplit
from dalikit.errors import UserError

RNG = np.random.default_rng(0)
COUNT = 400


def pixels(*shape):
    return RNG.integers(0, 256, shape).astype(np.uint8)


def prepared(root, name, size):
    arrays = {"train_images": pixels(COUNT, *size), "test_images": pixels(40, *size)}
    labels = {"train_labels": np.arange(COUNT) % 10, "test_labels": np.arange(40) % 10}
    np.savez(root / f"{name}.npz", **arrays, **labels)


def cifar10(root, **settings):
    prepared(root, "cifar10", (32, 32, 3))
    return CIFAR10, (root,), settings


def celeba(root, **settings):
    prepared(root, "celeba", (16, 16, 3))
    return CelebA, (root,), {"size": 16, **settings}


def arrays(root, **settings):
    prepared(root, "x", (9, 8))
    return Arrays, (), {"path": str(root / "x.npz"), **settings}


def floats(root, **settings):
    np.save(root / "x.npy", RNG.random((COUNT, 9, 9, 3), dtype=np.float32))
    return Arrays, (), {"path": str(root / "x.npy"), **settings}


def folder(root, **settings):
    (root / "images").mkdir()
    for i in range(COUNT):
        Image.fromarray(pixels(8, 8)).save(root / "images" / f"{i:03d}.png")
    return Folder, (root,), {"path": str(root / "images"), "size": 8, "channels": 1, **settings}


def read(data, part, seed=0):
    """All of a part in order, and the state of the generator before and after."""
    split, rng = data.split(part), torch.Generator().manual_seed(seed)
    before = rng.get_state()
    batch = split.take(torch.arange(len(split)), rng)
    return batch, bool(torch.equal(rng.get_state(), before))


@pytest.mark.parametrize("made", [cifar10, celeba, arrays, floats, folder])
def test_training_images_alone_are_flipped_each_by_itself(made, tmp_path):
    kind, given, settings = made(tmp_path)
    plain, flipping = kind(*given, **settings), kind(*given, **settings, flip=True)
    for part in ("validation", "test"):
        (one, still), (two, still_too) = read(plain, part), read(flipping, part)
        assert torch.equal(one.x, two.x)
        assert still
        assert still_too
    before, untouched = read(plain, "train")
    assert untouched, "where it is off nothing is drawn"
    after, moved = read(flipping, "train")
    assert not moved, "what is random comes from the generator that was given"
    stayed = (after.x == before.x).flatten(1).all(1)
    mirrored = (after.x == torch.from_numpy(before.x.numpy()[..., ::-1].copy())).flatten(1).all(1)
    assert bool((stayed ^ mirrored).all())
    n = len(stayed)
    assert abs(int(mirrored.sum()) - n / 2) < 5 * (n / 4) ** 0.5  # five standard deviations
    assert (before.y is None) == (after.y is None)
    assert before.y is None or torch.equal(before.y, after.y)
    assert torch.equal(read(flipping, "train")[0].x, after.x)
    assert not torch.equal(read(flipping, "train", seed=1)[0].x, after.x)
    assert flipping.spec == plain.spec
    testing.check_dataset(flipping)


@pytest.mark.parametrize("made", [cifar10, celeba, arrays, floats, folder])
def test_flips_are_told_of_and_prepare_nothing_again(made, tmp_path):
    kind, given, settings = made(tmp_path)
    plain, off, on = (kind(*given, **settings, **flip) for flip in ({}, {"flip": False}, {"flip": True}))
    assert plain.preparation == off.preparation
    assert "mirror" not in plain.preparation
    assert on.preparation.startswith(plain.preparation)
    assert "mirrored left to right" in on.preparation.removeprefix(plain.preparation)
    assert getattr(on, "path", None) == getattr(plain, "path", None)


def test_each_of_many_readings_is_drawn_anew():
    split = ImageSplit(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), np.array([4]), flip=True)
    rng, index = torch.Generator().manual_seed(0), torch.zeros(1, dtype=torch.int64)
    rows = [split.take(index, rng) for _ in range(2000)]
    shown = [tuple(batch.x.flatten().tolist()) for batch in rows]
    straight, mirrored = (0, 1, 2, 3, 4, 5), (2, 1, 0, 5, 4, 3)
    assert set(shown) == {straight, mirrored}
    assert abs(shown.count(mirrored) - 1000) < 5 * 500**0.5
    assert {batch.y.item() for batch in rows} == {4}
    changes = sum(a != b for a, b in pairwise(shown))
    assert abs(changes - 1999 / 2) < 5 * (1999 / 4) ** 0.5  # one reading says nothing of the next


def test_flipping_leaves_what_is_in_memory_as_it_was():
    images = pixels(50, 6, 5)
    kept = images.copy()
    split = ImageSplit(images, flip=True)
    split.take(torch.arange(50), torch.Generator())
    np.testing.assert_array_equal(images, kept)


def test_it_is_a_setting_by_name(tmp_path):
    arrays(tmp_path)
    registry, given = Registry.discover(), {"name": "arrays", "path": str(tmp_path / "x.npz")}
    for more, expected in (({}, False), ({"flip": True}, True)):
        config = resolve.resolve_layers([{"dataset": {**given, **more}}], registry)
        assert config.dataset.params["flip"] is expected
        assert build.make_dataset(config, registry).flip is expected
    with pytest.raises(UserError, match="flip"):
        resolve.resolve_layers([{"dataset": {**given, "flip": "sideways"}}], registry)
    with pytest.raises(UserError, match="dataset 'mnist' has no parameter 'flip'"):
        resolve.resolve_layers([{"dataset": {"name": "mnist", "flip": True}}], registry)
    prepared(tmp_path, "mnist", (28, 28))
    assert read(MNIST(tmp_path), "train")[1], "digits are never flipped"
