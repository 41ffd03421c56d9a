"""Image data sets, on small files that the tests make in each one's layout."""

import gzip
import hashlib
import socket
import struct
import tracemalloc
import warnings

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from dalikit import testing
from dalikit.assembly import build, resolve
from dalikit.assembly.registry import Registry
from dalikit.components.datasets.arrays import Arrays
from dalikit.components.datasets.celeba import CelebA
from dalikit.components.datasets.cifar10 import CIFAR10
from dalikit.components.datasets.folder import Folder
from dalikit.components.datasets.mnist import MNIST, FashionMNIST
from dalikit.components.datasets.stacked_mnist import StackedMNIST
from dalikit.data import downloads, prepared
from dalikit.data.images import stream_images, whole
from dalikit.errors import RunError, UserError

RNG = np.random.default_rng(0)
PARTS = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("DALIKIT_DATA", str(folder))
    return folder


def pixels(*shape):
    return RNG.integers(0, 256, shape).astype(np.uint8)


def first(dataset, part, count=4):
    return dataset.split(part).take(torch.arange(count), torch.Generator().manual_seed(0)).x


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
    found = data.split("test").take(torch.tensor([3, 1]), torch.Generator())
    assert found.y.tolist() == labels["test_labels"][[3, 1]].tolist()
    testing.check_dataset(data)


def test_cifar10_is_enlarged_bilinearly_if_asked(root):
    images, labels = pixels(20, 32, 32, 3), pixels(20) % 10
    arrays = {
        f"{part}_{kind}": a
        for part in ("train", "test")
        for kind, a in (("images", images), ("labels", labels))
    }
    np.savez(root / "cifar10.npz", **arrays)
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
    ("dataset", "names", "folder"),
    [
        (MNIST, "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images", "MNIST/raw"),
        (FashionMNIST, "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k", "FashionMNIST/raw"),
        (CIFAR10, "cifar-10-python.tar.gz", ""),
    ],
)
def test_the_original_files_are_named(dataset, names, folder, root, monkeypatch):
    monkeypatch.setattr(getattr(torchvision.datasets, dataset.__name__), "download", no_server)
    with pytest.raises(UserError, match=r"is not to be had \(no server\)") as raised:
        dataset().split("train")
    assert f"the original files ({names}" in str(raised.value)
    assert f") into {root / folder}; --data-root" in str(raised.value)


def unpack_mnist(raw, images=30, labels=30):
    raw.mkdir(parents=True)
    for prefix in ("train", "t10k"):
        for kind, array in (("images-idx3", pixels(images, 28, 28)), ("labels-idx1", pixels(labels) % 10)):
            (raw / f"{prefix}-{kind}-ubyte").write_bytes(gzip.decompress(idx(array)))


@pytest.mark.parametrize("length", [0, 3, 9, 16, 2000])
def test_a_torn_file_that_was_unpacked_is_told_of(length, root):
    raw = root / "MNIST" / "raw"
    unpack_mnist(raw)
    torn = raw / "t10k-images-idx3-ubyte"
    torn.write_bytes(torn.read_bytes()[:length])
    with pytest.raises(UserError, match=r"what is unpacked in .* is damaged \(\w.*\): delete that") as raised:
        MNIST().split("train")
    assert f"unpacked in {raw} is" in str(raised.value)
    assert "delete that folder, but for train-images-idx3-ubyte.gz, " in str(raised.value)
    assert not (root / "mnist.npz").exists()


def test_images_and_labels_of_different_number_make_no_prepared_file(root):
    unpack_mnist(root / "MNIST" / "raw", labels=29)
    with pytest.raises(UserError, match=r"is damaged \(30 images have 29 labels\)"):
        MNIST().split("train")
    assert not (root / "mnist.npz").exists()


def test_what_was_unpacked_of_cifar10_may_be_damaged(root, monkeypatch):
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "download", no_server)
    with pytest.raises(UserError, match=f"unpacked in {folder} is damaged .*: delete that folder; it is"):
        CIFAR10().split("train")


def test_a_server_that_does_not_answer_is_given_up(root, monkeypatch):
    before = socket.getdefaulttimeout()
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mirrors = [f"http://127.0.0.1:{silent.getsockname()[1]}/"]
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", mirrors)
        with pytest.raises(UserError, match=r"MNIST is not to be had .*timed out"):
            MNIST().split("train")
    assert socket.getdefaulttimeout() == before


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


def test_a_celeba_file_that_fits_is_used_first(root):
    celeba_tree(root)
    given = {"train_images": pixels(30, 16, 16, 3), "test_images": pixels(9, 16, 16, 3)}
    np.savez_compressed(root / "celeba.npz", **given)
    data = CelebA(size=16)
    np.testing.assert_array_equal(first(data, "test").numpy(), given["test_images"][:4].transpose(0, 3, 1, 2))
    assert "as found in celeba.npz, 16×16" in data.preparation
    other = CelebA(size=24)
    assert len(other.split("test")) == 4
    assert "centre crop 148" in other.preparation
    assert {path.name for path in root.glob("*.npz")} == {"celeba.npz", "celeba-24-148.npz"}


@pytest.mark.parametrize(
    "given",
    [
        {"train_images": pixels(30, 16, 16, 3)},
        {"train_images": pixels(30, 16, 16, 3) / 255, "test_images": pixels(9, 16, 16, 3)},
        {"train_images": pixels(30, 16, 16), "test_images": pixels(9, 16, 16)},
    ],
)
def test_a_celeba_file_that_does_not_fit_is_passed_over(given, root):
    celeba_tree(root)
    np.savez(root / "celeba.npz", **given)
    assert CelebA(size=16).path.name == "celeba-16-148.npz"


def test_a_missing_celeba_is_asked_for_by_both_its_names(root, monkeypatch):
    monkeypatch.setattr(torchvision.datasets, "CelebA", no_server)
    with pytest.raises(
        UserError, match=r"celeba\.npz, train_images and test_images of uint8 \(N, 16, 16, 3\)"
    ):
        CelebA(size=16).split("train")


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
        image = Image.effect_noise((20 + i, 30), 60)
        image.convert("RGB").quantize(16).save(place) if mode == "P" else image.convert(mode).save(place)
    (folder / "notes.txt").write_text("no image")


def test_a_folder_of_any_sizes_and_formats(tmp_path):
    tree(tmp_path / "images")
    data = Folder(path=str(tmp_path / "images"), size=16, channels=3)
    assert sum(len(data.split(part)) for part in PARTS) == 50
    assert first(data, "train").shape == (4, 3, 16, 16)
    grey = Folder(path=str(tmp_path / "images"), size=16, channels=1)
    assert first(grey, "train").shape == (4, 1, 16, 16)
    assert grey.path != data.path
    testing.check_dataset(data)


def test_train_and_test_folders_are_the_parts(tmp_path):
    for part, count in (("train", 40), ("test", 3)):
        tree(tmp_path / "images" / part, count)
    data = Folder(path=str(tmp_path / "images"), size=8)
    sizes = [len(data.split(part)) for part in PARTS]
    assert sizes[0] + sizes[1] == 40
    assert 1 <= sizes[1] <= 12
    assert sizes[2] == 3
    assert "parts test as given, else by a hash" in data.preparation


def test_a_few_broken_files_are_listed_and_left_out(tmp_path):
    folder = tmp_path / "images"
    tree(folder)
    torn = folder / "000.png"
    torn.write_bytes(torn.read_bytes()[:40])
    data = Folder(path=str(folder), size=8)
    with pytest.warns(UserWarning, match=r"1 of 50 images are left out: .*000\.png"):
        assert sum(len(data.split(part)) for part in PARTS) == 49


def test_many_broken_files_are_an_error(tmp_path, root):
    folder = tmp_path / "images"
    tree(folder)
    for name in ("000.png", "004.png", "008.png", "012.png"):
        (folder / name).write_text("x")
    with pytest.raises(UserError, match="4 of 50 images cannot be read"):
        Folder(path=str(folder), size=8).split("train")
    assert list(root.iterdir()) == []


def test_a_changed_folder_is_prepared_again(tmp_path):
    folder = tmp_path / "images"
    tree(folder)
    before = Folder(path=str(folder), size=8)
    assert sum(len(before.split(part)) for part in PARTS) == 50
    for i in range(10):
        Image.effect_noise((9, 9), 60).save(folder / f"z{i}.png")
    after = Folder(path=str(folder), size=8)
    assert after.path != before.path
    assert sum(len(after.split(part)) for part in PARTS) == 60


def shades(split):
    x = split.take(torch.arange(len(split)), torch.Generator()).x
    return set(x[:, 0, 0, 0].tolist())


def test_a_file_that_is_added_moves_no_other(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    parts = []
    for names in (range(0, 200, 2), range(1, 200, 2)):  # afterwards one lies before each of the first
        for i in names:
            Image.new("L", (9, 9), i).save(folder / f"{i:03d}.png")
        data = Folder(path=str(folder), size=8, channels=1)
        parts.append([shades(data.split(part)) for part in PARTS])
    for before, later in zip(*parts, strict=True):
        assert before
        assert before < later
    assert sum(map(len, parts[1])) == 200


def test_a_folders_preparation_tells_one_state_of_it_from_another(tmp_path, monkeypatch):
    folder = tmp_path / "deep" / "images"
    tree(folder)
    (folder / "000.png").write_text("x")
    monkeypatch.chdir(tmp_path)
    told, paths = set(), set()
    for path in (folder, "deep/images", "deep/../deep/images"):
        data = Folder(path=str(path), size=8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told.add(data.preparation)
        paths.add(data.path)
    (first,) = told
    assert len(paths) == 1
    assert "folder images" in first
    assert ", 1 left out as broken" in first
    Image.new("L", (9, 9)).save(folder / "more.png")
    with pytest.warns(UserWarning, match="1 of 51"):
        assert Folder(path=str(folder), size=8).preparation not in told


def test_an_arrays_preparation_tells_one_content_from_another(tmp_path):
    array = pixels(40, 8, 8)
    places = [tmp_path / place / "x.npy" for place in ("a", "b", "c", "d")]
    other = array.copy()
    other[20, 4, 4] ^= 1
    for path, content in zip(places, (array, array, other, array[:39]), strict=True):
        path.parent.mkdir()
        np.save(path, content)
    same, copied, changed, shorter = (Arrays(path=str(path)).preparation for path in places)
    assert same == copied
    assert len({same, changed, shorter}) == 3
    assert same.startswith("arrays of x.npy, state ")
    assert "train uint8 (40, 8, 8), scaled to [-1, 1]" in same
    np.save(places[0], array / 255)
    assert "float64 (40, 8, 8) from 0 to 2, scaled" in Arrays(path=str(places[0]), high=2.0).preparation


@pytest.mark.parametrize(("dataset", "file"), [("folder", "images"), ("arrays", "x.npy")])
def test_a_path_is_stored_absolute(dataset, file, tmp_path, monkeypatch):
    tree(tmp_path / "images")
    np.save(tmp_path / "x.npy", pixels(40, 8, 8))
    monkeypatch.chdir(tmp_path)
    config = resolve.resolve_layers([{"dataset": {"name": dataset, "path": file}}], Registry.discover())
    assert config.dataset.params["path"] == str(tmp_path / file)


def test_the_current_folder(tmp_path, monkeypatch):
    tree(tmp_path / "images")
    monkeypatch.chdir(tmp_path / "images")
    assert sum(len(Folder(path=".", size=8).split(part)) for part in PARTS) == 50


def test_long_names(tmp_path):
    folder = tmp_path / ("ä" * 120)
    tree(folder)
    data = Folder(path=str(folder), size=8)
    assert sum(len(data.split(part)) for part in PARTS) == 50
    assert "ä" * 50 in data.preparation
    with pytest.raises(UserError, match="is no folder, zip or parquet file"):
        Folder(path="x" * 300).split("train")
    with pytest.raises(UserError, match="File name too long"):
        Arrays(path="x" * 300 + ".npy")


def test_all_broken_files_are_listed_beside_the_prepared_file(tmp_path, root):
    folder = tmp_path / "images"
    tree(folder, 500)
    names = [f"{i:03d}.png" for i in range(0, 48, 4)]
    for name in names:
        (folder / name).write_text("x")
    data = Folder(path=str(folder), size=8)
    with pytest.warns(UserWarning, match=r"12 of 500 .*and [2-9] more, listed in .*left-out\.txt"):
        data.split("train")
    (listing,) = root.glob("*.left-out.txt")
    assert listing.stem.startswith(data.path.stem)
    lines = listing.read_text().splitlines()
    assert sorted(lines) == [f"{name}: not an image file, or damaged" for name in names]


def test_all_broken_files_of_a_folder_that_is_refused_are_listed_too(tmp_path, root):
    folder = tmp_path / "images"
    tree(folder)
    for i in range(0, 48, 4):
        (folder / f"{i:03d}.png").write_text("x")
    with pytest.raises(UserError, match=r"12 of 50 .*and [2-9] more, listed in .*left-out\.txt"):
        Folder(path=str(folder), size=8).split("train")
    (listing,) = root.iterdir()
    assert len(listing.read_text().splitlines()) == 12


def test_a_list_of_broken_files_that_cannot_be_written(tmp_path, root, monkeypatch):
    folder = tmp_path / "images"
    tree(folder)
    (folder / "000.png").write_text("x")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dalikit.data.gathering.write_text", full)
    with pytest.raises(RunError, match=r"Cannot write .*left-out\.txt: No space"):
        Folder(path=str(folder), size=8).split("train")


def peak(action):
    """The most bytes that were held at once."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("side", [64, 1024])
def test_preparing_needs_the_memory_of_a_chunk_whatever_the_size(tmp_path, monkeypatch, side):
    monkeypatch.setattr(prepared, "CHUNK", 1 << 22)
    shape, files = (side, side, 1), [tmp_path / "x"] * ((1 << 24) // side**2)
    image = np.full(shape, 7, np.uint8)
    stream = stream_images(files, shape, lambda _: image, "Test")
    assert peak(lambda: prepared.write(tmp_path / "x.npz", {"a": stream})) < 1.5 * prepared.CHUNK
    found = prepared.read(tmp_path / "x.npz", limit=0)["a"]
    assert found.shape == (len(files), *shape)
    assert (found == 7).all()


def test_an_array_that_is_not_contiguous_is_copied_by_the_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "CHUNK", 1 << 20)
    array = pixels(1000, 3, 64, 64).transpose(0, 2, 3, 1)  # as torchvision has CIFAR-10
    stream = whole(array)
    assert peak(lambda: prepared.write(tmp_path / "x.npz", {"a": stream})) < 2 * prepared.CHUNK
    np.testing.assert_array_equal(prepared.read(tmp_path / "x.npz", limit=0)["a"], array)


def test_the_range_of_arrays_is_checked_by_the_chunk(tmp_path, monkeypatch):
    """Chunks of bytes, not of images: of large images, few at once."""
    monkeypatch.setattr(prepared, "CHUNK", 4 * 8 * 8 * 5)
    looked = []
    monkeypatch.setattr("dalikit.data.arrayfiles.check_count", lambda *_: None)

    class Watched(np.ndarray):
        def min(self, *given, **named):
            looked.append(len(self))
            return np.asarray(self).min(*given, **named)

    array = np.zeros((12, 8, 8), np.float32).view(Watched)

    monkeypatch.setattr(prepared, "read_array", lambda _: array)
    Arrays(path="x.npy")
    assert looked == [5, 5, 2], "each is looked at once"


def test_bounds_are_met_as_the_arrays_own_numbers_round_them(tmp_path):
    extreme = np.float32(0.3)  # a little more than 0.3 as a float of 64 bits
    array = np.full((24, 8, 8), extreme) * np.array([1, -1] * 4, np.float32)
    array[:, 0, 0] *= np.arange(24) / 23  # for twins go into one part
    np.save(tmp_path / "x.npy", array)
    data = Arrays(path=str(tmp_path / "x.npy"), low=-0.3, high=0.3)
    x = data.scale(data.split("train").take(torch.arange(2), torch.Generator()).x)
    torch.testing.assert_close(x[:, :, 1:].abs(), torch.ones(2, 1, 7, 8))
    with pytest.raises(UserError, match=r"values -0\.3\d* to 0\.3\d* lie outside"):
        Arrays(path=str(tmp_path / "x.npy"), low=-0.3, high=0.29)


@pytest.mark.parametrize("path", ["", "nowhere"])
def test_no_folder(path):
    with pytest.raises(UserError, match=r"--set dataset\.path=PATH"):
        Folder(path=path).split("train")


def test_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match="has too few images: 0 data, 20 at least are needed"):
        Folder(path=str(tmp_path)).split("train")


@pytest.mark.parametrize("shape", [(40, 10, 12), (40, 10, 12, 3)])
def test_arrays_of_bytes(tmp_path, shape):
    array = pixels(*shape)
    np.save(tmp_path / "x.npy", array)
    data = Arrays(path=str(tmp_path / "x.npy"))
    assert data.spec.x_shape == (1 if len(shape) == 3 else 3, 10, 12)
    assert sum(len(data.split(part)) for part in PARTS) == 40
    x = data.scale(first(data, "train"))
    expected = array[data._rows["train"][:4]] / 127.5 - 1
    expected = expected[:, None] if len(shape) == 3 else expected.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(x.numpy(), expected, atol=1e-6)
    testing.check_dataset(data)


def test_arrays_of_floats_between_stated_ends(tmp_path):
    array = RNG.uniform(-3, 5, (30, 9, 9)).astype(np.float32)
    np.savez(tmp_path / "x.npz", array)
    data = Arrays(path=str(tmp_path / "x.npz"), low=-3.0, high=5.0)
    np.testing.assert_allclose(
        data.scale(first(data, "train")).numpy()[:, 0],
        (array[data._rows["train"][:4]] + 3) / 4 - 1,
        atol=1e-5,
    )
    testing.check_dataset(data)
    with pytest.raises(UserError, match=r"lie outside dataset\.low 0 and dataset\.high 1"):
        Arrays(path=str(tmp_path / "x.npz"))


def test_arrays_with_parts_and_labels(tmp_path):
    parts = {"train_images": pixels(20, 8, 8), "test_images": pixels(5, 8, 8), "test_labels": np.arange(5)}
    np.savez(tmp_path / "x.npz", **parts)
    data = Arrays(path=str(tmp_path / "x.npz"))
    assert len(data.split("train")) + len(data.split("validation")) == 20
    assert len(data.split("test")) == 5
    x, y = data.split("test").take(torch.arange(5), torch.Generator())
    np.testing.assert_array_equal(x[:, 0].numpy(), parts["test_images"][y.numpy()])
    assert data.split("train").take(torch.arange(3), torch.Generator()).y is None


@pytest.mark.parametrize(
    ("name", "arrays", "says"),
    [
        ("x.txt", None, r"is no \.npy or \.npz"),
        ("x.npz", None, "No such file"),
        ("x.npz", {"a": pixels(3, 8, 8), "b": pixels(3, 8, 8)}, "holds a, b: train_images and test_images"),
        ("x.npz", {"a": pixels(30)}, r"\(N, H, W\) or \(N, H, W, C\) is needed"),
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
    x, modes = split.take(torch.arange(3000), torch.Generator().manual_seed(0))
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
    config = resolve.resolve_layers(
        [{"dataset": "mnist", "backbone": "mlp", "generator": {"latent_size": 3}}], registry
    )
    data = build.make_dataset(config, registry)
    assert isinstance(data.split("train")._images.base, np.memmap) or isinstance(
        data.split("train")._images, np.memmap
    )
    method = build.make_method(config, data.spec, registry)
    trainer = Trainer(method, data, steps=2, batch_size=8)
    trainer.fit()
    assert trainer.step == 2
