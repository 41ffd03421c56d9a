"""The one way to write a file: whole, or not at all, and on the disk when it is said to be there."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = ".unfinished"
"""How the name of a file or folder ends that is being written."""

REMOVED = ".removed"
"""How the name of a folder ends that is being removed."""

EARLIER = ".earlier"
"""How the name of a folder ends whose place a new one is taking."""


@contextmanager
def whole_or_not(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place when the block ends without an error.

    Folders that are missing are made. What was at `path` stays until all of the new content is on the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        yield unfinished
        flush(unfinished)
        unfinished.replace(path)
        flush(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def whole_folder_or_not(path: Path) -> Iterator[Path]:
    """A folder to write files into, which takes the place of `path` when the block ends without an error.

    No file system exchanges folders in one step: a folder that was at `path` lies beside it, with `EARLIER`
    at the end of its name, until the new one is there.
    """
    unfinished, earlier = path.with_name(path.name + UNFINISHED), path.with_name(path.name + EARLIER)
    shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True)
        flush(path.parent.parent)
    unfinished.mkdir()
    try:
        yield unfinished
        for file in unfinished.iterdir():
            flush(file)
        flush(unfinished)
        if path.exists():
            remove_folder(earlier)
            path.rename(earlier)
        unfinished.rename(path)
        flush(path.parent)
        remove_folder(earlier)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; names in it that are no text keep their bytes."""
    with whole_or_not(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="surrogateescape")


def remove_folder(path: Path) -> None:
    """Take a folder, if it is there, away at once, and then what is in it: no reader sees half of it."""
    removed = path.with_name(path.name + REMOVED)
    shutil.rmtree(removed, ignore_errors=True)  # of a process that was killed
    if path.is_dir():
        path.rename(removed)
        shutil.rmtree(removed, ignore_errors=True)


def flush(path: Path) -> None:
    """Have what was written to a file, or which names a folder has, on the disk before going on."""
    folder = path.is_dir()
    if folder and not hasattr(os, "O_DIRECTORY"):  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)  # Windows flushes what can be written alone
    try:
        os.fsync(handle)
    except OSError as error:
        refused = error.errno in (errno.EINVAL, errno.ENOTSUP)  # as some file systems say of every folder
        if not (folder and refused):
            raise
    finally:
        os.close(handle)
