"""Parquet files that unpack to more than there is room for, by what they say of themselves."""

import tracemalloc

import numpy as np
import pytest

from dalikit.components.datasets.folder import Folder
from dalikit.data import tables
from dalikit.errors import UserError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

MANY = 22
PIXEL = b"P5 1 1 255 0"


def written(path, columns, **how):
    parquet.write_table(pyarrow.table(columns), path, compression="zstd", **how)
    return str(path)


PLAIN = {"use_dictionary": False}
ONCE = pyarrow.DictionaryArray.from_arrays([0] * MANY, pyarrow.array([bytes(34 << 20)]))

BOMBS = {
    "one large value for all": ({"image": ONCE}, {"store_schema": False}, "'image' unpacks to"),
    "each its own": ({"image": [bytes(2 << 20)] * MANY}, PLAIN, "'image' unpacks to"),
    "in a struct": ({"image": [{"bytes": bytes(2 << 20), "path": ""}] * MANY}, PLAIN, "'image' unpacks to"),
    "a class": ({"image": [PIXEL] * MANY, "label": ["c" * (2 << 20)] * MANY}, PLAIN, "'label' unpacks to"),
    "a class of a page": ({"image": [PIXEL] * MANY, "label": ["c" * 1001] * MANY}, {}, "has 1,001 letters"),
    "rows": (
        {"image": pyarrow.nulls(2_000_001, pyarrow.binary()), "label": np.zeros(2_000_001, np.int8)},
        {},
        "has 2,000,001 rows, 2,000,000 at most are read",
    ),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_is_refused_before_it_is_unpacked(what, tmp_path):
    columns, how, says = BOMBS[what]
    path = written(tmp_path / "x.parquet", columns, **how)
    before = pyarrow.total_allocated_bytes()
    tracemalloc.start()
    with pytest.raises(UserError, match=says) as raised:
        Folder(tmp_path, path=path, size=8).split("train")
    assert tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()
    assert pyarrow.total_allocated_bytes() - before < 1 << 26
    assert path in str(raised.value)
    assert len(str(raised.value)) < 1000


def test_a_large_value_that_stands_for_many_rows_is_held_once(tmp_path, monkeypatch):
    """A file that is as large as what it unpacks to, which is one value, and names it in each row."""
    size = 4 << 20
    monkeypatch.setattr(tables, "HELD", size)
    once = pyarrow.DictionaryArray.from_arrays([0] * MANY, pyarrow.array([bytes(size)]))
    table = pyarrow.table({"image": once})
    parquet.write_table(table, tmp_path / "x.parquet", compression="none", store_schema=False)
    tracemalloc.start()
    with pytest.raises(UserError, match="22 of 22 images cannot be read"):
        Folder(tmp_path, path=str(tmp_path / "x.parquet"), size=8).split("train")
    assert tracemalloc.get_traced_memory()[1] < 4 * size
    tracemalloc.stop()


def test_pictures_that_pack_as_pictures_do_are_read_in_groups_of_any_size(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "UNPACKED", 1 << 12)
    noise = np.random.default_rng(0).integers(0, 256, (60, 30, 30), np.uint8)
    images = [b"P5 30 30 255 " + image.tobytes() for image in noise]
    path = written(tmp_path / "x.parquet", {"image": images, "label": [1, 2] * 30}, row_group_size=60)
    assert len(Folder(tmp_path, path=path, size=30).split("train")) > 40


@pytest.mark.parametrize("where", [b"class", b"label"])
def test_text_that_is_none_is_the_files_fault(where, tmp_path):
    """In a column's name, and in what it holds."""
    path = tmp_path / "x.parquet"
    how = {"use_dictionary": False, "write_statistics": False, "store_schema": False}
    made = pyarrow.table({"image": [PIXEL] * MANY, "label": ["class"] * MANY})
    parquet.write_table(made, path, compression="none", **how)
    path.write_bytes(path.read_bytes().replace(where, b"\xff" + where[1:]))
    with pytest.raises(UserError, match=r"x\.parquet is no parquet file that can be read: .*utf-8"):
        Folder(tmp_path, path=str(path), size=8).split("train")
