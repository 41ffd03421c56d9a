"""Image data sets, on small files that the tests make in each one's layout."""

import gzip
import hashlib
import struct

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from dalikit import build, prepared, resolve, testing
from dalikit.components.datasets.arrays import Arrays
from dalikit.components.datasets.celeba import CelebA
from dalikit.components.datasets.cifar10 import CIFAR10
from dalikit.components.datasets.folder import Folder
from dalikit.components.datasets.mnist import MNIST, FashionMNIST
from dalikit.components.datasets.stacked_mnist import StackedMNIST
from dalikit.errors import UserError
from dalikit.registry import Registry

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("DALIKIT_DATA", str(folder))
    return folder


def pixels(*shape):
    return RNG.integers(0, 256, shape).astype(np.uint8)


def first(dataset, part, count=4):
    return dataset.split(part).take(torch.arange(count), torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("dataset", "size"), [(MNIST, (28, 28)), (FashionMNIST, (28, 28)), (CIFAR10, (32, 32, 3))]
)
def test_a_prepared_file_is_used_first(dataset, size, root):
    arrays = {"train_images": pixels(60, *size), "test_images": pixels(20, *size)}
    labels = {"train_labels": pixels(60) % 10, "test_labels": pixels(20) % 10}
    np.savez(root / f"{dataset.name}.npz", **arrays, **labels)
    data = dataset()
    assert [len(data.split(part)) for part in ("train", "validation", "test")] == [54, 6, 20]
    expected = arrays["train_images"][54:58]
    expected = expected[:, None] if expected.ndim == 3 else expected.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(first(data, "validation").numpy(), expected)
    found = data.split("test").labels(torch.tensor([3, 1]))
    assert found.tolist() == labels["test_labels"][[3, 1]].tolist()
    testing.check_dataset(data)


def test_cifar10_is_enlarged_bilinearly_if_asked(root):
    images = pixels(20, 32, 32, 3)
    np.savez(root / "cifar10.npz", train_images=images, test_images=images)
    data = CIFAR10(size=64)
    testing.check_dataset(data)
    assert "64×64" in data.preparation
    x = data.scale(first(data, "test"))
    assert x.shape == (4, 3, 64, 64)
    # Pixel j of 64 lies at (j + ½)/2 - ½ among the 32: an odd one a quarter beyond (j - 1)/2.
    plain = torch.from_numpy(images[:4].transpose(0, 3, 1, 2)) / 127.5 - 1
    rows = 0.75 * plain[..., :-1, :] + 0.25 * plain[..., 1:, :]
    torch.testing.assert_close(
        x[..., 1:-1:2, 1:-1:2], 0.75 * rows[..., :-1] + 0.25 * rows[..., 1:], rtol=0, atol=1e-5
    )


def idx(array) -> bytes:
    """The format of MNIST's own files."""
    return gzip.compress(struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes())


def test_mnist_is_read_from_the_original_files_and_prepared_once(root, monkeypatch):
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    arrays = {"train": (pixels(30, 28, 28), pixels(30) % 10), "t10k": (pixels(10, 28, 28), pixels(10) % 10)}
    for prefix, (images, labels) in arrays.items():
        (raw / f"{prefix}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (raw / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    sums = [(p.name, hashlib.md5(p.read_bytes()).hexdigest()) for p in sorted(raw.iterdir())]
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", sums)
    data = MNIST()
    assert len(data.split("train")) == 27
    np.testing.assert_array_equal(first(data, "test").numpy()[:, 0], arrays["t10k"][0][:4])
    for path in raw.iterdir():
        path.unlink()
    np.testing.assert_array_equal(first(MNIST(), "test").numpy()[:, 0], arrays["t10k"][0][:4])


def test_a_file_with_a_wrong_sum_is_not_believed(root):
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte.gz").write_bytes(idx(pixels(30, 28, 28)))
    with pytest.raises(UserError, match=r"MNIST is not to be had .* Put the prepared file at .*mnist\.npz"):
        MNIST().split("train")
    assert not (root / "mnist.npz").exists()


@pytest.mark.parametrize("dataset", [MNIST, CIFAR10, StackedMNIST])
def test_where_data_cannot_be_had_one_line_says_where_to_put_them(dataset, root):
    with pytest.raises(UserError, match=r"Put the prepared file at .*\.npz") as raised:
        dataset().split("train")
    assert str(root) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list(root.glob("*.npz*")) == []


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"train_images": pixels(9, 28, 28)}, "has no array 'test_images'"),
        (
            {"train_images": pixels(9, 27, 28), "test_images": pixels(9, 28, 28)},
            r"uint8 \(N, 28, 28\) is needed",
        ),
        ({"train_images": np.zeros((9, 28, 28)), "test_images": pixels(9, 28, 28)}, "float64"),
        (
            {"train_images": pixels(9, 28, 28), "train_labels": pixels(8), "test_images": pixels(9, 28, 28)},
            r"train_labels are uint8 \(8,\), whole numbers \(9,\) are needed",
        ),
    ],
)
def test_a_prepared_file_that_does_not_fit_is_named(arrays, says, root):
    np.savez(root / "mnist.npz", **arrays)
    with pytest.raises(UserError, match=says):
        MNIST().split("train")


def celeba_tree(root, count=24):
    folder = root / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    lines = []
    for i in range(count):
        image = np.zeros((218, 178, 3), np.uint8)
        image[59:159, 39:139] = i  # the middle, which the crop keeps
        Image.fromarray(image).save(folder / f"{i:06d}.png")
        lines.append(f"{i:06d}.png {0 if i < 16 else 1 if i < 20 else 2}")
    (root / "celeba" / "list_eval_partition.txt").write_text("\n".join(lines) + "\n")


def test_celeba_in_its_official_layout(root):
    celeba_tree(root)
    data = CelebA(size=16)
    assert [len(data.split(part)) for part in ("train", "validation", "test")] == [18, 2, 4]
    x = first(data, "test")
    assert x.shape == (4, 3, 16, 16)
    assert x[:, :, 8, 8].tolist() == [[i] * 3 for i in range(20, 24)]
    assert data.path.name == "celeba-16-148.npz"
    testing.check_dataset(data)


def no_server(*_, **__):
    raise RuntimeError("no server")


def test_celeba_is_downloaded_by_torchvision_where_it_is_not_there(root, monkeypatch):
    asked = []

    def download(folder, split, download):
        asked.append((folder, split, download))
        celeba_tree(folder)

    monkeypatch.setattr(torchvision.datasets, "CelebA", download)
    assert len(CelebA(size=16).split("test")) == 4
    assert asked == [(root, "all", True)]


def test_the_crop_is_centred(root):
    celeba_tree(root, 20)
    (root / "celeba" / "list_eval_partition.txt").write_text("000003.png 0\n000005.png 0\n000004.png 2\n")
    x = first(CelebA(size=50, crop=100), "test", 1)
    assert (x == 4).all()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda c: (c / "list_eval_partition.txt").unlink(),
            r"CelebA is not there and not to be had \(no server\): put list_eval_partition\.txt",
        ),
        (lambda c: (c / "list_eval_partition.txt").write_text("a.png 7\n"), "line 1: 'a.png 7'"),
        (lambda c: (c / "img_align_celeba" / "000005.png").unlink(), r"000005\.png: No such file"),
        (lambda c: (c / "img_align_celeba" / "000005.png").write_text("x"), r"000005\.png: not an image"),
        (lambda c: (c / "list_eval_partition.txt").write_text("a.png 0\n"), "names too few images"),
        (lambda c: (c / "list_eval_partition.txt").write_bytes(b"\xff\n"), "line 1: "),
    ],
)
def test_a_celeba_tree_that_is_not_whole(root, spoil, says, monkeypatch):
    monkeypatch.setattr(torchvision.datasets, "CelebA", no_server)
    celeba_tree(root)
    spoil(root / "celeba")
    with pytest.raises(UserError, match=says):
        CelebA(size=16).split("train")
    assert list(root.glob("*.npz*")) == []


def tree(folder, count=50):
    (folder / "deep").mkdir(parents=True)
    for i in range(count):
        place = folder / ("deep" if i % 2 else "") / f"{i:03d}.{('png', 'jpg', 'webp', 'bmp')[i % 4]}"
        mode = ("RGB", "L", "RGBA", "P")[i % 4] if i % 4 in (0, 2) else "RGB"
        Image.new(mode, (20 + i, 30), color=0).save(place)
    (folder / "notes.txt").write_text("no image")


def test_a_folder_of_any_sizes_and_formats(tmp_path):
    tree(tmp_path / "images")
    data = Folder(path=str(tmp_path / "images"), size=16)
    assert [len(data.split(part)) for part in ("train", "validation", "test")] == [41, 4, 5]
    assert first(data, "train").shape == (4, 3, 16, 16)
    grey = Folder(path=str(tmp_path / "images"), size=16, channels=1)
    assert first(grey, "train").shape == (4, 1, 16, 16)
    assert grey.path != data.path
    testing.check_dataset(data)


def test_train_and_test_folders_are_the_parts(tmp_path):
    for part, count in (("train", 20), ("test", 3)):
        tree(tmp_path / "images" / part, count)
    data = Folder(path=str(tmp_path / "images"), size=8)
    assert [len(data.split(part)) for part in ("train", "validation", "test")] == [18, 2, 3]


def test_a_few_broken_files_are_listed_and_left_out(tmp_path):
    folder = tmp_path / "images"
    tree(folder)
    torn = folder / "000.png"
    torn.write_bytes(torn.read_bytes()[:40])
    data = Folder(path=str(folder), size=8)
    with pytest.warns(UserWarning, match=r"1 of 50 images are left out: .*000\.png"):
        assert len(data.split("train")) == 40


def test_many_broken_files_are_an_error(tmp_path, root):
    folder = tmp_path / "images"
    tree(folder)
    for name in ("000.png", "004.png", "008.png"):
        (folder / name).write_text("x")
    with pytest.raises(UserError, match="3 of 50 images cannot be read"):
        Folder(path=str(folder), size=8).split("train")
    assert list(root.iterdir()) == []


def test_a_changed_folder_is_prepared_again(tmp_path):
    folder = tmp_path / "images"
    tree(folder)
    before = Folder(path=str(folder), size=8)
    assert len(before.split("test")) == 5
    for i in range(10):
        Image.new("RGB", (9, 9)).save(folder / f"z{i}.png")
    after = Folder(path=str(folder), size=8)
    assert after.path != before.path
    assert len(after.split("test")) == 6


@pytest.mark.parametrize("path", ["", "nowhere"])
def test_no_folder(path):
    with pytest.raises(UserError, match=r"is no folder: --set dataset\.path=FOLDER"):
        Folder(path=path).split("train")


def test_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match="has 0 images for its train part"):
        Folder(path=str(tmp_path)).split("train")


@pytest.mark.parametrize("shape", [(40, 10, 12), (40, 10, 12, 3)])
def test_arrays_of_bytes(tmp_path, shape):
    array = pixels(*shape)
    np.save(tmp_path / "x.npy", array)
    data = Arrays(path=str(tmp_path / "x.npy"))
    assert data.x_shape == (1 if len(shape) == 3 else 3, 10, 12)
    assert [len(data.split(part)) for part in ("train", "validation", "test")] == [33, 3, 4]
    x = data.scale(first(data, "train"))
    expected = array[:4] / 127.5 - 1
    expected = expected[:, None] if len(shape) == 3 else expected.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(x.numpy(), expected, atol=1e-6)
    testing.check_dataset(data)


def test_arrays_of_floats_between_stated_ends(tmp_path):
    array = RNG.uniform(-3, 5, (30, 9, 9)).astype(np.float32)
    np.savez(tmp_path / "x.npz", array)
    data = Arrays(path=str(tmp_path / "x.npz"), low=-3.0, high=5.0)
    np.testing.assert_allclose(
        data.scale(first(data, "train")).numpy()[:, 0], (array[:4] + 3) / 4 - 1, atol=1e-5
    )
    testing.check_dataset(data)
    with pytest.raises(UserError, match=r"lie outside dataset\.low 0 and dataset\.high 1"):
        Arrays(path=str(tmp_path / "x.npz"))


def test_arrays_with_parts_and_labels(tmp_path):
    parts = {"train_images": pixels(20, 8, 8), "test_images": pixels(5, 8, 8), "test_labels": np.arange(5)}
    np.savez(tmp_path / "x.npz", **parts)
    data = Arrays(path=str(tmp_path / "x.npz"))
    assert [len(data.split(part)) for part in ("train", "validation", "test")] == [18, 2, 5]
    assert data.split("test").labels(torch.tensor([4, 0])).tolist() == [4, 0]
    assert data.split("train").labels(torch.tensor([0])) is None


@pytest.mark.parametrize(
    ("name", "arrays", "says"),
    [
        ("x.txt", None, r"is no \.npy or \.npz"),
        ("x.npz", None, "No such file"),
        ("x.npz", {"a": pixels(3, 8, 8), "b": pixels(3, 8, 8)}, "holds a, b: train_images and test_images"),
        ("x.npz", {"a": pixels(30, 8)}, r"\(N, H, W\) or \(N, H, W, C\) is needed"),
        ("x.npz", {"a": np.zeros((30, 8, 8), np.int32)}, "int32, uint8 or floats are needed"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, name, arrays, says):
    if arrays:
        np.savez(tmp_path / name, **arrays)
    with pytest.raises(UserError, match=says):
        Arrays(path=str(tmp_path / name))


def test_stacked_digits_are_three_of_mnists(root):
    digits = np.repeat(np.arange(10, dtype=np.uint8), 600)
    images = np.broadcast_to((digits * 20)[:, None, None], (6000, 28, 28))
    np.savez(
        root / "mnist.npz", train_images=images, train_labels=digits, test_images=images, test_labels=digits
    )
    data = StackedMNIST()
    split = data.split("test")
    x, modes = split.labelled(3000, torch.Generator().manual_seed(0))
    assert x.shape == (3000, 3, 28, 28)
    told = (x[:, :, 0, 0].long() // 20 * torch.tensor([100, 10, 1])).sum(1)
    assert torch.equal(told, modes)
    assert 930 < len(modes.unique()) <= 1000  # 3,000 draws of 1,000 reach 950 on average
    testing.check_dataset(data)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"train_labels": None}, "lacks train_images or train_labels"),
        ({"train_images": pixels(40, 28, 28), "train_labels": pixels(40)}, "with N from 5,001 is needed"),
        ({"test_images": pixels(9, 28, 28, 1)}, r"test_images are uint8 \(9, 28, 28, 1\)"),
        ({"test_labels": pixels(8)}, r"test_labels are uint8 \(8,\), whole numbers \(9,\)"),
    ],
)
def test_digits_that_cannot_be_stacked(root, changed, says):
    arrays = {"train_images": np.zeros((5001, 28, 28), np.uint8), "train_labels": np.zeros(5001, np.uint8)}
    arrays |= {"test_images": pixels(9, 28, 28), "test_labels": pixels(9)}
    np.savez(root / "mnist.npz", **{k: a for k, a in (arrays | changed).items() if a is not None})
    with pytest.raises(UserError, match=says):
        StackedMNIST().split("train")


def test_training_reads_a_mapped_file(root, monkeypatch, tmp_path):
    from dalikit.training import Trainer

    np.savez(root / "mnist.npz", train_images=pixels(60, 28, 28), test_images=pixels(20, 28, 28))
    monkeypatch.setattr(prepared, "LIMIT", 0)
    registry = Registry.discover()
    config = resolve.layered(
        [{"dataset": "mnist", "backbone": "mlp", "generator": {"latent_size": 3}}], registry
    )
    data = build.make_dataset(config.dataset, registry)
    assert isinstance(data.split("train")._images.base, np.memmap) or isinstance(
        data.split("train")._images, np.memmap
    )
    method = build.make_method(config, build.DataShape(data.x_shape, data.value_range), registry)
    trainer = Trainer(method, data, steps=2, batch_size=8)
    trainer.fit()
    assert trainer.step == 2
