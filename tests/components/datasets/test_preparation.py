"""What data sets say of themselves is counted, and 'official' is said of nothing that was not recognised."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from dalikit.components.datasets.celeba import CelebA
from dalikit.components.datasets.cifar10 import CIFAR10
from dalikit.components.datasets.digits import Digits
from dalikit.components.datasets.mnist import MNIST, FashionMNIST
from dalikit.components.datasets.stacked_mnist import StackedMNIST
from dalikit.data import official

RNG = np.random.default_rng(0)
SIZES = {MNIST: (28, 28), FashionMNIST: (28, 28), CIFAR10: (32, 32, 3), StackedMNIST: (28, 28)}


def noise(kind, train=300, test=30):
    """Arrays of a prepared file: images and labels, drawn."""
    return {
        f"{part}_{what}": RNG.integers(0, top, (count, *shape), dtype=np.uint8)
        for part, count in (("train", train), ("test", test))
        for what, top, shape in (("images", 256, SIZES[kind]), ("labels", 10, ()))
    }


def content(images, labels):
    """The digest of a part, from its definition."""
    data = hashlib.sha256(b"torch.uint8" + images.tobytes()).digest()
    return hashlib.sha256(data + hashlib.sha256(labels.astype("<i8").tobytes()).digest()).hexdigest()


def known(arrays, held_out):
    """What would be known of a data set whose official content these arrays are."""
    images, labels = arrays["train_images"], arrays["train_labels"]
    return {
        "train": content(images[:-held_out], labels[:-held_out]),
        "validation": content(images[-held_out:], labels[-held_out:]),
        "test": content(arrays["test_images"], arrays["test_labels"]),
    }


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST, CIFAR10])
def test_noise_in_a_prepared_file_is_not_called_what_the_file_is_called(kind, tmp_path):
    np.savez(tmp_path / f"{kind.name}.npz", **noise(kind))
    said = kind(tmp_path).preparation
    assert "official" not in said
    assert said.startswith(f"{kind.name}, ")
    assert f"300 and 30 images of {kind.name}.npz" in said
    assert "the last 30 of training held out" in said
    assert ("not MNIST" in said) is (kind is MNIST)


def test_what_is_recognised_is_called_official(tmp_path, monkeypatch):
    arrays = noise(MNIST)
    np.savez(tmp_path / "mnist.npz", **arrays)
    monkeypatch.setattr(official, "OFFICIAL", {"mnist": known(arrays, 30)})
    assert MNIST(tmp_path).preparation == (
        "MNIST, 28×28 uint8 scaled to [-1, 1]; the official 300 and 30, the last 30 of training held out"
    )
    for name in arrays:
        other = {**arrays, name: arrays[name].copy()}
        other[name].flat[0] ^= 1
        np.savez(tmp_path / "mnist.npz", **other)
        said = MNIST(tmp_path).preparation
        assert "which are not MNIST" in said, name
        assert "official" not in said, name


def test_without_labels_it_is_not_the_official_one(tmp_path, monkeypatch):
    arrays = noise(MNIST)
    np.savez(tmp_path / "mnist.npz", **{name: a for name, a in arrays.items() if "images" in name})
    monkeypatch.setattr(official, "OFFICIAL", {"mnist": known(arrays, 30)})
    assert "official" not in MNIST(tmp_path).preparation


def test_stacked_digits_are_those_of_the_file(tmp_path, monkeypatch):
    arrays = noise(StackedMNIST, train=5010, test=20)
    np.savez(tmp_path / "mnist.npz", **arrays)
    said = StackedMNIST(tmp_path).preparation
    assert said.startswith("three images of mnist.npz, which are not MNIST, drawn independently")
    assert said.endswith("draw from 10, 5,000 and 20 digits")
    monkeypatch.setattr(official, "OFFICIAL", {"mnist": known(arrays, 5000)})
    assert StackedMNIST(tmp_path).preparation.startswith("three MNIST digits drawn independently")


@pytest.mark.parametrize("kind", [*SIZES, CelebA])
def test_rules_are_told_how_many_there_are_to_train_on(kind, tmp_path):
    """By what lies there, once something does."""
    expected = {MNIST: 55_000, FashionMNIST: 55_000, StackedMNIST: 55_000, CIFAR10: 45_000, CelebA: 177_637}
    assert kind(tmp_path).train_count == expected[kind]
    file = "mnist.npz" if kind is StackedMNIST else f"{kind.name}.npz"
    celeba = {
        f"{part}_images": np.zeros((n, 64, 64, 3), np.uint8) for part, n in (("train", 40), ("test", 3))
    }
    np.savez(tmp_path / file, **(celeba if kind is CelebA else noise(kind, train=5_010)))
    data = kind(tmp_path)
    assert data.train_count == len(data.split("train")) == {CelebA: 36, StackedMNIST: 10}.get(kind, 4_509)


def test_an_official_content_is_known_by_three_sums():
    for sums in official.OFFICIAL.values():
        assert set(sums) == {"train", "validation", "test"}
        assert all(len(bytes.fromhex(one)) == 32 for one in sums.values())


def test_cifar10_says_that_it_is_enlarged_and_mirrored(tmp_path):
    np.savez(tmp_path / "cifar10.npz", **noise(CIFAR10))
    said = CIFAR10(tmp_path, size=64, flip=True).preparation
    assert "32×32 uint8 scaled to [-1, 1], enlarged bilinearly to 64×64; 300 and 30 images" in said
    assert said.endswith("mirrored left to right or not, at random, whenever it is read")


def test_celeba_counts_what_its_partition_names(tmp_path):
    folder = tmp_path / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    for i in range(24):
        Image.new("RGB", (178, 218), (i, i, i)).save(folder / f"{i}.png")
    lines = [f"{i}.png {0 if i < 16 else 1 if i < 20 else 2}" for i in range(24)]
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text("\n".join(lines))
    assert CelebA(tmp_path, size=8).preparation == (
        "celeba, centre crop 148, resized by Lanczos, 8×8 uint8 scaled to [-1, 1]; 20 and 4 images by "
        "list_eval_partition.txt, the last 2 of training held out"
    )
    images = {f"{part}_images": np.zeros((n, 8, 8, 3), np.uint8) for part, n in (("train", 30), ("test", 9))}
    np.savez(tmp_path / "celeba.npz", **images)
    assert CelebA(tmp_path, size=8).preparation == (
        "celeba as found in celeba.npz, 8×8 uint8 scaled to [-1, 1]; 30 and 9 images by the parts of that "
        "file, the last 3 of training held out"
    )


def test_digits_are_counted(monkeypatch):
    import sklearn.datasets

    every = sklearn.datasets.load_digits()
    assert "20 % test (360), of the rest 10 % validation (144), 1,293 train" in Digits().preparation

    class Fewer:
        images, target = every.images[:500], every.target[:500]

    monkeypatch.setattr(sklearn.datasets, "load_digits", Fewer)
    assert "20 % test (100), of the rest 10 % validation (40), 360 train" in Digits().preparation
