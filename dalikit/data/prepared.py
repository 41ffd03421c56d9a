"""Image data prepared once: one uncompressed .npz a data set, read into memory or mapped from where it lies.

Arrays, as in many public copies of these data: `train_images`, `train_labels`, `test_images`,
`test_labels`; images uint8 (N, H, W) or (N, H, W, C), labels int (N,), optional. Writing streams, so that it
needs the memory of one chunk; large files are mapped, so that training on them needs that of one batch.
"""

import math
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.lib import format as npy

from dalikit.errors import DalikitError, RunError, UserError, shortened
from dalikit.files import whole_or_not
from dalikit.plainfiles import open_plain

VARIABLE = "DALIKIT_DATA"
"""The environment variable that names the data root."""

CHUNK = 1 << 24
"""Bytes that are held, or looked at, at once; one row at least."""

LIMIT = 1 << 28
"""Bytes from which a file is mapped instead of read: small and test parts of it too, for they add up."""


UNPACKED = 1 << 29
"""The most bytes that the compressed arrays of a file may unpack to, for they are held in memory: 512 MiB."""

HEAD = 1 << 16
"""The most bytes of an array's header that are looked at; NumPy itself takes fewer."""


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
        UserError: the file cannot be read, is damaged, claims more than it has, unpacks to more than
            `UNPACKED` bytes, or holds objects, which would have to be unpickled.
    """
    with _members(path) as (archive, members):
        packed = [info.file_size for info in members.values() if info.compress_type != zipfile.ZIP_STORED]
        if sum(packed) > UNPACKED:
            raise ValueError(
                f"its compressed arrays unpack to {sum(packed):,} bytes, more than {UNPACKED:,}: save it by "
                "numpy.savez, which does not compress, and it is read from where it lies"
            )
        large = _large(path, limit)
        return {name: _read_array(path, archive, info, large) for name, info in members.items()}


def shapes(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of each array of the .npz file `path`, from the headers alone; raises as `read` does."""
    found = {}
    with _members(path) as (archive, members):
        for name, info in members.items():
            with archive.open(info) as member:
                head = _header(member, info.file_size)
            found[name] = (head.shape, head.dtype)
    return found


def read_array(path: Path, limit: int | None = None) -> np.ndarray:
    """The array of the .npy file `path`, mapped as `read` maps; raises as `read` does."""
    with _blamed(path), open_plain(path) as file:
        if zipfile.is_zipfile(file):
            raise ValueError("it is a zip, of arrays maybe: then its name ends with .npz")
        file.seek(0)
        head = _header(file, os.fstat(file.fileno()).st_size)
        if _large(path, limit):
            return head.mapped(path, 0)
        file.seek(0)
        return npy.read_array(file, allow_pickle=False)


@contextmanager
def _members(path: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """An open .npz file and its arrays by name; what fails inside the block is the file's fault."""
    with _blamed(path), open_plain(path) as file, zipfile.ZipFile(file) as archive:
        infos = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
            # Python unpacks others a whole block at once, which may be gigabytes.
            raise ValueError("its arrays are compressed in a way that numpy.savez_compressed does not")
        yield archive, {info.filename.removesuffix(".npy"): info for info in infos}


@contextmanager
def _blamed(path: Path) -> Iterator[None]:
    """What fails inside the block is the file's fault: on a damaged one NumPy and zip raise anything."""
    try:
        yield
    except DalikitError:
        raise
    except Exception as error:
        raise _unusable(path, error) from None


def _large(path: Path, limit: int | None) -> bool:
    return path.stat().st_size >= (LIMIT if limit is None else limit)


def _unusable(path: Path, error: Exception) -> UserError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    if "allow_pickle" in reason or "magic string" in reason:  # NumPy's advice is to run what the file says
        reason = "it is no array, or one of Python objects, which are never unpickled"
    return UserError(f"Data file {path} cannot be used: {shortened(reason)}")


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


@dataclass(frozen=True)
class _Header:
    """What an array's header says, and how many bytes it has."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    size: int

    def mapped(self, path: Path, start: int) -> np.ndarray:
        """The array, whose header begins at `start` in the file, mapped."""
        if 0 in self.shape:  # of which there is nothing to map
            return np.empty(self.shape, self.dtype)
        order: Literal["F", "C"] = "F" if self.fortran else "C"
        return np.memmap(path, self.dtype, "r", start + self.size, self.shape, order)


def _read_array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, mapped: bool) -> np.ndarray:
    with archive.open(info) as member:
        head = _header(member, info.file_size)
    if mapped and info.compress_type == zipfile.ZIP_STORED:
        return head.mapped(path, _start_of(path, info))
    with archive.open(info) as member:
        return npy.read_array(member, allow_pickle=False)


def _header(member: IO[bytes], there: int) -> _Header:
    """The header of an array that has `there` bytes in all, of which some are read.

    Raises:
        ValueError: there is none, or it says that the array holds objects, or more than is there.
    """
    head = BytesIO(member.read(HEAD))
    version = npy.read_magic(head)
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = reader(head)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never unpickled")
    claimed, left = math.prod(shape) * dtype.itemsize, there - head.tell()
    if min(shape, default=0) < 0 or claimed > left:
        raise ValueError(f"an array is said to be {dtype} {shape}, and has {left:,} bytes")
    return _Header(shape, fortran, dtype, head.tell())


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
