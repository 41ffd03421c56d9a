"""Prepared files: written in a stream, whole or not at all; read or mapped; nothing unpickled."""

import io
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dalikit.data import prepared
from dalikit.data.prepared import Stream, read, write
from dalikit.errors import RunError, UserError


def stream(array, chunk=3):
    return Stream(array.shape, array.dtype, (array[i : i + chunk] for i in range(0, len(array), chunk)))


@settings(max_examples=30, deadline=None)
@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple),
    dtype=st.sampled_from(["uint8", "int64", "float32"]),
    mapped=st.booleans(),
)
def test_arrays_come_back_as_they_were_written(shape, dtype, mapped, tmp_path_factory):
    rng = np.random.default_rng(0)
    arrays = {"a": (100 * rng.random(shape)).astype(dtype), "b": np.arange(5, dtype=np.uint8)}
    path = tmp_path_factory.mktemp("data") / "x.npz"
    write(path, {name: stream(array) for name, array in arrays.items()})
    found = read(path, limit=0 if mapped else 1 << 30)
    with np.load(path, allow_pickle=False) as other:  # NumPy itself reads the file
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            np.testing.assert_array_equal(other[name], array)
            assert isinstance(found[name], np.memmap) == mapped


def test_numpys_own_files_are_mapped_too(tmp_path):
    array = np.arange(60, dtype=np.float32).reshape(5, 3, 4)
    np.savez(tmp_path / "stored.npz", images=array, fortran=np.asfortranarray(array))
    np.savez_compressed(tmp_path / "packed.npz", images=array)
    found = read(tmp_path / "stored.npz", limit=0)
    assert isinstance(found["images"], np.memmap)
    np.testing.assert_array_equal(found["images"], array)
    np.testing.assert_array_equal(found["fortran"], array)
    np.testing.assert_array_equal(read(tmp_path / "packed.npz", limit=0)["images"], array)


def test_a_file_is_mapped_whole_from_the_limit_on(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    arrays = {"large": np.zeros(900, np.uint8), "small": np.zeros(9, np.uint8), "none": np.zeros((0, 4))}
    write(path, {name: stream(array) for name, array in arrays.items()})
    np.save(tmp_path / "x.npy", arrays["large"])
    for limit, mapped in ((500, True), (5000, False)):
        monkeypatch.setattr(prepared, "LIMIT", limit)
        found = read(path)
        assert [isinstance(found[name], np.memmap) for name in ("large", "small")] == [mapped, mapped]
        assert found["none"].shape == (0, 4)
        assert isinstance(prepared.read_array(tmp_path / "x.npy"), np.memmap) == mapped


@pytest.mark.parametrize(
    "chunks",
    [
        [np.zeros((2, 3), np.uint8)],  # too few
        [np.zeros((9, 3), np.uint8)],  # too many
        [np.zeros((4, 2), np.uint8)],  # of another shape
        [np.zeros((4, 3), np.float32)],  # of another type
    ],
)
def test_a_stream_that_breaks_its_word_leaves_nothing(chunks, tmp_path):
    with pytest.raises(ValueError, match="array 'a'"):
        write(tmp_path / "x.npz", {"a": Stream((4, 3), np.dtype(np.uint8), chunks)})
    assert list(tmp_path.iterdir()) == []


def test_a_failure_half_way_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.npz"
    write(path, {"a": stream(np.arange(4))})

    def failing():
        yield np.zeros(2, np.int64)
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=r"Cannot write .*x\.npz: No space left"):
        write(path, {"a": Stream((4,), np.dtype(np.int64), failing())})
    np.testing.assert_array_equal(read(path)["a"], np.arange(4))
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code ran')",))


@pytest.mark.parametrize("limit", [0, 1 << 30])
def test_objects_are_not_unpickled(tmp_path, limit):
    path = tmp_path / "x.npz"
    np.savez(path, a=np.array([Bomb()], dtype=object))
    with pytest.raises(UserError, match=r"x\.npz cannot be used"):
        read(path, limit)
    (tmp_path / "x.npy").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError, match=r"x\.npy cannot be used"):
        prepared.read_array(tmp_path / "x.npy", limit)


def test_a_zip_of_arrays_that_is_called_an_array_is_named(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    (tmp_path / "x.npz").rename(tmp_path / "x.npy")
    with pytest.raises(UserError, match=r"x\.npy cannot be used: it is a zip"):
        prepared.read_array(tmp_path / "x.npy")
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:30])
    with pytest.raises(UserError, match=r"x\.npy cannot be used"):
        prepared.read_array(tmp_path / "x.npy")


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_files_that_are_no_arrays_are_named(tmp_path, content):
    path = tmp_path / "x.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"Data file .*x\.npz cannot be used"):
        read(path)


def test_a_torn_file_is_named(tmp_path):
    whole = io.BytesIO()
    np.savez(whole, a=np.arange(1000))
    (tmp_path / "x.npz").write_bytes(whole.getvalue()[:700])
    with pytest.raises(UserError, match="cannot be used"):
        read(tmp_path / "x.npz")


def test_what_lies_in_a_row_is_written_without_a_copy(tmp_path):
    array = np.zeros((8, 1 << 20), np.uint8)
    tracemalloc.start()
    try:
        write(tmp_path / "x.npz", {"a": Stream(array.shape, array.dtype, [array])})
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_shapes_come_from_the_headers(tmp_path, save):
    save(tmp_path / "x.npz", a=np.zeros((5, 2), np.uint8), b=np.zeros(3, np.int64), c=np.zeros(()))
    found = prepared.shapes(tmp_path / "x.npz")
    assert {name: (shape, str(dtype)) for name, (shape, dtype) in found.items()} == {
        "a": ((5, 2), "uint8"),
        "b": ((3,), "int64"),
        "c": ((), "float64"),
    }
    (tmp_path / "x.npz").write_bytes(b"nonsense")
    with pytest.raises(UserError, match=r"x\.npz cannot be used"):
        prepared.shapes(tmp_path / "x.npz")


def test_a_chunk_has_one_row_at_least():
    assert prepared.rows_at_once((10, 1 << 10), np.dtype(np.uint8)) == prepared.CHUNK >> 10
    assert prepared.rows_at_once((10, 1 << 10), np.dtype(np.float32)) == prepared.CHUNK >> 12
    assert prepared.rows_at_once((10, 1 << 40), np.dtype(np.uint8)) == 1


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="Cannot write"):
        write(tmp_path / "file" / "x.npz", {"a": stream(np.arange(4))})


def test_other_members_are_passed_over(tmp_path):
    path = tmp_path / "x.npz"
    write(path, {"a": stream(np.arange(4))})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("README.txt", "hello")
    assert list(read(path)) == ["a"]


def test_the_data_root(monkeypatch, tmp_path):
    monkeypatch.delenv("DALIKIT_DATA", raising=False)
    assert str(prepared.data_root()) == "data"
    monkeypatch.setenv("DALIKIT_DATA", str(tmp_path))
    assert prepared.data_root() == tmp_path


def header(shape, kind="|u1", length=None):
    text = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", length or len(text)) + text.encode()


LYING = {
    "more than there is": (header("(9223372036854775807, 2)") + bytes(90), "and has 90 bytes"),
    "just one more": (header("(91,)") + bytes(90), "and has 90 bytes"),
    "sides below zero": (header("(-1, -90)") + bytes(90), "and has 90 bytes"),
    "a type of two gigabytes": (header("(2,)", "|V2000000000") + bytes(90), "and has 90 bytes"),
    "a header of four gigabytes": (header("(90,)", length=2**32 - 1) + bytes(90), "EOF|header"),
    "a header without an end": (b"\x93NUMPY\x01\x00\x76\x00" + b"(" * 118, "cannot be used"),
    "a number of 9,000 digits": (header("(" + "9" * 9000 + ",)"), "cannot be used"),
    "objects": (header("(3,)", "|O") + bytes(90), "never unpickled"),
    "no shape": (header("None") + bytes(90), "cannot be used"),
}


@pytest.mark.parametrize("limit", [0, 1 << 30])
@pytest.mark.parametrize("what", LYING)
def test_a_header_that_lies(what, limit, tmp_path):
    content, says = LYING[what]
    (tmp_path / "x.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as made:
        made.writestr("x.npy", content)
    for load in (prepared.read_array, read):
        path = tmp_path / ("x.npy" if load is prepared.read_array else "x.npz")
        with pytest.raises(UserError, match=says) as raised:
            load(path, limit)
        assert str(path) in str(raised.value)
        assert len(str(raised.value)) < 500
    with pytest.raises(UserError, match=says):
        prepared.shapes(tmp_path / "x.npz")


def test_the_shape_that_is_there_is_read(tmp_path):
    (tmp_path / "x.npy").write_bytes(header("(90,)") + bytes(range(90)))
    np.testing.assert_array_equal(prepared.read_array(tmp_path / "x.npy"), np.arange(90))


def test_compressed_arrays_are_not_unpacked_beyond_the_limit(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(40_000, np.uint8), b=np.zeros(60_000, np.uint8))
    np.savez(tmp_path / "plain.npz", a=np.zeros(200_000, np.uint8))
    assert len(read(tmp_path / "x.npz")) == 2
    monkeypatch.setattr(prepared, "UNPACKED", 90_000)
    with pytest.raises(
        UserError, match=r"unpack to 100,256 bytes, more than 90,000: save it by numpy\.savez"
    ):
        read(tmp_path / "x.npz")
    assert read(tmp_path / "plain.npz")["a"].shape == (200_000,)


def test_a_bomb_costs_no_memory(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for name in range(40):
            made.writestr(f"{name}.npy", header("(16777216,)") + bytes(1 << 24))
    tracemalloc.start()
    with pytest.raises(UserError, match="unpack to 671,"):
        read(tmp_path / "x.npz")
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


@pytest.mark.parametrize("packed", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_python_unpacks_a_block_at_once_is_not_read(packed, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w", packed) as made:
        made.writestr("x.npy", header("(90,)") + bytes(90))
    with pytest.raises(UserError, match=r"in a way that numpy\.savez_compressed does not"):
        read(tmp_path / "x.npz")
