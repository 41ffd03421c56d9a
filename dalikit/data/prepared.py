"""Image data prepared once: one uncompressed .npz a data set, read into memory or mapped from where it lies.

Arrays, as in many public copies of these data: `train_images`, `train_labels`, `test_images`,
`test_labels`; images uint8 (N, H, W) or (N, H, W, C), labels int (N,), optional. Writing streams, so that it
needs the memory of one chunk; large files are mapped, so that training on them needs that of one batch.
"""

import math
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.lib import format as npy

from dalikit.errors import RunError, UserError
from dalikit.files import whole_or_not

VARIABLE = "DALIKIT_DATA"
"""The environment variable that names the data root."""

DAMAGED = (OSError, ValueError, EOFError, MemoryError)
"""What NumPy raises on a file that is damaged, or that claims to hold more than there is room for."""

CHUNK = 1 << 24
"""Bytes that are held, or looked at, at once; one row at least."""

LIMIT = 1 << 28
"""Bytes from which a file is mapped instead of read: small and test parts of it too, for they add up."""


def data_root() -> Path:
    """Where data sets lie: `DALIKIT_DATA`, else `data` in the current folder."""
    return Path(os.environ.get(VARIABLE) or "data")


@dataclass(frozen=True)
class Stream:
    """An array to be written: its shape, and its rows in chunks of dtype `dtype`.

    Each chunk is written before the next is asked for, so that all may lie in one buffer.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    chunks: Iterable[np.ndarray]


def rows_at_once(shape: tuple[int, ...], dtype: np.dtype) -> int:
    """How many rows of an array (N, ...) make a chunk."""
    return max(1, CHUNK // max(1, math.prod(shape[1:]) * dtype.itemsize))


def write(path: Path, arrays: Mapping[str, Stream]) -> None:
    """Write arrays into the .npz file `path`, whole or not at all.

    Raises:
        RunError: the disk is full or the folder cannot be written.
        ValueError: a stream's chunks do not make its shape.
    """
    try:
        with (
            whole_or_not(path) as unfinished,
            zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive,
        ):
            for name, stream in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    _write_array(member, name, stream)
    except OSError as error:
        raise RunError(f"Cannot write {path}: {error.strerror or error}") from None


def read(path: Path, limit: int | None = None) -> dict[str, np.ndarray]:
    """The arrays of the .npz file `path`; those of one of `limit` bytes or more are mapped, read-only.

    `limit` is `LIMIT` unless given.

    Raises:
        UserError: the file cannot be read, is damaged, or holds objects, which would have to be unpickled.
    """
    with _members(path) as (archive, members):
        large = _large(path, limit)
        return {name: _read_array(path, archive, info, large) for name, info in members.items()}


def shapes(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of each array of the .npz file `path`, from the headers alone; raises as `read` does."""
    found = {}
    with _members(path) as (archive, members):
        for name, info in members.items():
            with archive.open(info) as member:
                shape, _, dtype = _header(member)
            found[name] = (shape, dtype)
    return found


def read_array(path: Path, limit: int | None = None) -> np.ndarray:
    """The array of the .npy file `path`, mapped as `read` maps; raises as `read` does."""
    try:
        found = np.load(path, mmap_mode="r" if _large(path, limit) else None, allow_pickle=False)
        if not isinstance(found, np.ndarray):
            found.close()
            raise ValueError("it is a zip, of arrays maybe: then its name ends with .npz")
        return found
    except (*DAMAGED, zipfile.BadZipFile) as error:
        raise _unusable(path, error) from None


@contextmanager
def _members(path: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """An open .npz file and its arrays by name; what fails inside the block is the file's fault."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            yield archive, {info.filename.removesuffix(".npy"): info for info in infos}
    except (*DAMAGED, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise _unusable(path, error) from None


def _large(path: Path, limit: int | None) -> bool:
    return path.stat().st_size >= (LIMIT if limit is None else limit)


def _unusable(path: Path, error: Exception) -> UserError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if "allow_pickle" in reason:  # NumPy's advice is to run what the file says
        reason = "it is no array, or one of Python objects, which are never unpickled"
    return UserError(f"Data file {path} cannot be used: {reason}")


def _write_array(member: IO[bytes], name: str, stream: Stream) -> None:
    header = {"descr": npy.dtype_to_descr(stream.dtype), "fortran_order": False, "shape": stream.shape}
    npy.write_array_header_1_0(member, header)
    rows = 0
    for chunk in stream.chunks:
        if chunk.shape[1:] != stream.shape[1:] or chunk.dtype != stream.dtype:
            raise ValueError(
                f"array '{name}': a chunk of {chunk.dtype} {chunk.shape} is not of {stream.shape}"
            )
        if chunk.size:
            member.write(np.ascontiguousarray(chunk).data)
        rows += len(chunk)
    if rows != stream.shape[0]:
        raise ValueError(f"array '{name}': {rows} rows were given, not {stream.shape[0]}")


def _read_array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, mapped: bool) -> np.ndarray:
    with archive.open(info) as member:
        if not mapped or info.compress_type != zipfile.ZIP_STORED:
            return npy.read_array(member, allow_pickle=False)
        shape, fortran, dtype = _header(member)
        inside = member.tell()
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if 0 in shape:  # of which there is nothing to map
        return np.empty(shape, dtype)
    order: Literal["F", "C"] = "F" if fortran else "C"
    return np.memmap(path, dtype, "r", _start_of(path, info) + inside, shape, order)


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether it lies column by column, and type; the member stands at its first byte afterwards."""
    version = npy.read_magic(member)
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return reader(member)


def _start_of(path: Path, info: zipfile.ZipInfo) -> int:
    """The offset of a stored member's bytes: after a header of 30 bytes and two fields of stated length."""
    with path.open("rb") as file:
        file.seek(info.header_offset + 26)
        lengths = file.read(4)
    return (
        info.header_offset
        + 30
        + int.from_bytes(lengths[:2], "little")
        + int.from_bytes(lengths[2:], "little")
    )
