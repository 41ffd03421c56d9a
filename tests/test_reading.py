"""What a run was trained on is taken afterwards too, in each layout: the same data come of it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dalikit.components.datasets.arrays import Arrays
from dalikit.components.datasets.folder import Folder
from dalikit.data.inputs import Inputs
from dalikit.errors import UserError
from dalikit.interfaces import DataSpec
from dalikit.runs.facts import DataFacts

RNG = np.random.default_rng(0)
BYTES, MORE = (RNG.integers(0, 256, (n, 8, 12)).astype(np.uint8) for n in (60, 25))
GREY = DataSpec((1, 8, 12), (-1.0, 1.0))
LABELS = np.arange(60) % 3

LAYOUTS = {
    "x.npy": BYTES,
    "narrow.npy": BYTES[:, :, :3],
    "colour.npy": RNG.integers(0, 256, (60, 8, 12, 3)).astype(np.uint8),
    "large.npy": RNG.integers(0, 256, (40, 90, 80)).astype(np.uint8),
    "clear.npy": RNG.integers(0, 256, (60, 12, 8, 4)).astype(np.uint8),
    "floats.npy": RNG.random((60, 8, 12)) * 7 + 2,
    "vectors.npy": RNG.normal([5, 0], [1, 100], (60, 2)),
    "numbers.npy": RNG.integers(-9, 9, (60, 3)),
    "one.npz": {"mine": BYTES},
    "labelled.npz": {"images": BYTES, "labels": LABELS},
    "divided.npz": {"train_images": BYTES, "test_images": MORE},
    "all.npz": {
        "train_images": BYTES,
        "test_images": MORE,
        "train_labels": LABELS,
        "test_labels": LABELS[:25],
    },
    "vectors.npz": {"train_images": BYTES[:, 0], "test_images": MORE[:, 0], "train_labels": LABELS},
}


def rows(*parts):
    """Data as a sorted table, for parts are in an order of their own."""
    table = torch.cat(parts).flatten(1).numpy()
    return table[np.lexsort(table.T)]


def trained_on(data):
    splits = (data.split(part) for part in ("train", "validation", "test"))
    return rows(*(data.scale(s.take(torch.arange(len(s)), torch.Generator()).x) for s in splits))


def inputs_of(data):
    """As a run keeps them, in JSON."""
    facts = DataFacts.model_validate_json(DataFacts.of(data).model_dump_json())
    return Inputs(facts.spec, facts.fitting, facts.standardization, facts.float_range)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_file_of_arrays_gives_the_data_that_were_trained_on(tmp_path, name):
    layout = LAYOUTS[name]
    np.savez(tmp_path / name, **layout) if isinstance(layout, dict) else np.save(tmp_path / name, layout)
    data = Arrays(tmp_path / "root", path=str(tmp_path / name), low=2.0, high=9.0)
    found = inputs_of(data).prepare(tmp_path / name)
    np.testing.assert_allclose(rows(found.whole()), trained_on(data), rtol=1e-6, atol=1e-6)


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (12, 10)).astype(np.uint8)).save(path)


def in_folder(folder, names):
    for name in names:
        picture(folder / name)
    return folder


def in_zip(folder, names):
    in_folder(folder, names)
    return Path(shutil.make_archive(str(folder), "zip", folder))


def in_parquet(folder, names):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    in_folder(folder, names)
    tops = sorted({name.partition("/")[0] if "/" in name else "all" for name in names})
    for top in tops:
        files = sorted((folder / top if top != "all" else folder).rglob("*.png"))
        table = pyarrow.table({"image": [f.read_bytes() for f in files], "label": [0.5] * len(files)})
        parquet.write_table(table, folder.with_name("tables") / f"{top}.parquet")
    return folder.with_name("tables")


def below(folder, count):
    return [f"{folder}{i}.png" for i in range(count)]


TREES = {
    "flat": below("", 30),
    "classes": below("a/", 20) + below("b/", 20),
    "parts": below("train/", 30) + below("val/", 5) + below("test/", 5),
    "parts of classes": below("train/a/", 15) + below("train/b/", 15) + below("test/a/", 5),
}


@pytest.mark.parametrize("kept", [in_folder, in_zip])
@pytest.mark.parametrize("tree", TREES)
def test_a_folder_gives_the_pictures_that_were_trained_on(tmp_path, tree, kept):
    path = kept(tmp_path / "all", TREES[tree])
    data = Folder(tmp_path / "root", path=str(path))
    found = inputs_of(data).prepare(path)
    assert len(found) == len(TREES[tree])
    np.testing.assert_allclose(rows(found.whole()), trained_on(data), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kept", [in_folder, in_zip, in_parquet])
@pytest.mark.parametrize(
    "names",
    [
        below("test/", 3) + below("other/", 2),
        below("train/a/", 2) + below("val/a/", 2) + below("test/a/", 2) + below("extra/a/", 2),
    ],
)
def test_what_is_handed_in_is_no_training_data_and_none_is_passed_over(tmp_path, names, kept):
    (tmp_path / "tables").mkdir()
    found = Inputs(GREY).prepare(kept(tmp_path / "all", names))
    assert len(found) == len(names)
    with pytest.raises(UserError, match=r"^nix.zip: no such file$"):
        Inputs(GREY).prepare("nix.zip")


def test_parts_that_are_not_alike_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", train_images=BYTES, test_images=MORE / 2)
    with pytest.raises(UserError, match="data of train and test are not alike: hand them in one by one"):
        Inputs(GREY).prepare(tmp_path / "x.npz")
