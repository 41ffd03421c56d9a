"""`dalikit data` and `--data`: what lies there is told, drawn, trained on, and stays as it is."""

import shlex

import numpy as np
import pytest
import yaml
from PIL import Image

RNG = np.random.default_rng(0)
QUICK = ["--backbone", "mlp", "--steps", 1, "--set", "trainer.batch_size=8"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("DALIKIT_DATA", str(tmp_path / "root"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    for i in range(40):
        place = folder / ("cat" if i % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (20, 16 + i, 3)).astype(np.uint8)).save(place / f"{i}.png")
    (folder / "cat" / "torn.png").write_text("x")
    return folder


def listing(folder):
    return sorted(str(path) for path in folder.rglob("*"))


def one_line(done):
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.filterwarnings("always:1 of 41 images are left out")
def test_a_folder_is_shown_and_left_as_it_is(cli, pictures, here):
    before = listing(pictures)
    done = cli("data", pictures)
    assert done.returncode == 0, done.stderr
    assert f"Warning: 1 of 41 images are left out: {pictures / 'cat' / 'torn.png'}" in done.stderr
    for said in (
        "40 images, 2 classes (cat 20, dog 20) → ",
        "16–55 px, centre-cropped and resized to 16×16; 1 skipped",
        "shorter sides:  16–31: 40",
        "size:           16: the median shorter side is 20 px",
        "channels:       3: some pictures are in colour",
        "left out:       cat/torn.png: not an image file, or damaged",
        f"dalikit train --data {pictures}",
    ):
        assert said in done.stdout
    assert listing(pictures) == before
    (picture,) = here.iterdir()
    assert f"Wrote {picture.name}: " in done.stdout
    with Image.open(picture) as shown:
        assert shown.width > 100
    assert cli("data", pictures, "--out", "own.png").returncode == 0
    assert "own.png is there already" in one_line(cli("data", pictures, "--out", "own.png"))
    assert "what can be written here is .png" in one_line(cli("data", pictures, "--out", "own.jpg"))


def test_vectors_have_no_picture_unless_they_are_points(cli, tmp_path, here):
    for size in (2, 5):
        np.save(tmp_path / f"x{size}.npy", RNG.normal(size=(50, size)))
        assert cli("data", tmp_path / f"x{size}.npy").returncode == 0
    assert [path.name for path in here.iterdir()] == ["data-x2.png"]
    assert "Data of shape (5,) cannot be drawn" in cli("data", tmp_path / "x5.npy").stdout


@pytest.mark.filterwarnings("ignore:1 of 41 images are left out")
def test_settings_are_the_data_sets_own(cli, pictures):
    done = cli("data", pictures, "--set", "dataset.size=[24,40]", "--set", "dataset.how=pad")
    assert "padded with white and resized to 40×24" in done.stdout
    words = shlex.split(done.stdout.splitlines()[-1].removeprefix("Train on it: dalikit "))
    assert words == [
        *("train", "--data", str(pictures), "--set", "dataset.size=[24,40]", "--set", "dataset.how=pad")
    ]
    again = cli(*words, *QUICK, "--out", "run")
    assert again.returncode == 0, again.stderr
    assert "resized to 40×24" in again.stdout
    assert "no parameter 'sise'" in one_line(cli("data", pictures, "--set", "dataset.sise=3"))


@pytest.mark.filterwarnings("ignore:1 of 41 images are left out")
@pytest.mark.parametrize("kind", ["folder", "arrays"])
def test_data_are_trained_on_by_their_path_alone(cli, pictures, tmp_path, kind):
    path = pictures
    if kind == "arrays":
        path = tmp_path / "x.NPY"
        with path.open("wb") as file:
            np.save(file, RNG.integers(0, 256, (40, 8, 8)).astype(np.uint8))
    done = cli("train", "--data", path, *QUICK, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["dataset"]
    assert (written["name"], written["path"]) == (kind, str(path))
    shown = yaml.safe_load(cli("config", "--data", path).stdout)["dataset"]
    assert (shown["name"], shown["path"]) == (kind, str(path))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--data", "nowhere"], "--data nowhere: there is nothing"),
        (["--data", "x.txt"], "--data x.txt: what can be read is .npy, .npz, .parquet, .zip, a folder"),
        (["--data", "plain"], "--data plain: what can be read is .npy"),
        (
            ["--data", "x.txt", "--dataset", "digits"],
            "--data x.txt: data set 'digits' takes no --data: leave one",
        ),
        (["--data", ".", "--dataset", "arrays"], "--data .: what can be read is .npy, .npz"),
        (["--data", ".", "--resume", "run"], "--resume goes on with the run's own settings"),
    ],
)
def test_data_that_are_none(cli, here, words, says):
    (here / "x.txt").write_text("x")
    (here / "plain").write_text("x")
    assert says in one_line(cli("train", *words))


def large(path):
    """A PNG file of 40,000 × 40,000 in which hardly anything lies."""
    import struct
    import zlib

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(99))), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def images(folder, count):
    for i in range(count):
        Image.fromarray(RNG.integers(0, 256, (12, 12)).astype(np.uint8)).save(folder / f"{i}.png")


BAD = {
    "an empty folder": (lambda f: None, [], "has too few images: 0 data, 20 at least are needed"),
    "ten images": (lambda f: images(f, 10), [], "has too few images: 10 data, 20 at least are needed"),
    "a huge picture alone": (lambda f: large(f / "x.png"), [], "has too few images: 1 data"),
    "huge pictures": (
        lambda f: [large(f / f"{i}.png") for i in range(20)],
        [],
        "20 of 20 images cannot be read: ",
    ),
    "one class": (
        lambda f: ((f / "cats").mkdir(), images(f / "cats", 30)),
        ["--set", "method.conditional=true"],
        "conditional=true needs labels, and data set 'folder' has none",
    ),
    "a class of one": (
        lambda f: (
            [(f / c).mkdir() for c in "abc"],
            images(f / "a", 20),
            images(f / "b", 20),
            images(f / "c", 1),
        ),
        ["--set", "method.conditional=true"],
        "dataset 'folder' has fewer than 2 data to learn class 'c' from",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data_are_refused_in_a_line(cli, tmp_path, name):
    make, words, says = BAD[name]
    (tmp_path / "p").mkdir()
    make(tmp_path / "p")
    assert says in one_line(cli("train", "--data", tmp_path / "p", *QUICK, *words, "--out", tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    if not words:
        assert says in one_line(cli("data", tmp_path / "p"))
        assert list((tmp_path / "here").iterdir()) == []
        assert list((tmp_path / "root").glob("*.npz*")) == []


@pytest.mark.filterwarnings("always:1 of 31 images are left out")
def test_a_huge_picture_among_others_is_left_out(cli, tmp_path):
    images(tmp_path, 30)
    large(tmp_path / "x.png")
    done = cli("data", tmp_path, "--out", tmp_path / "here" / "x.png")
    assert "30 images → " in done.stdout
    assert "x.png: more than 64 million pixels" in done.stderr
