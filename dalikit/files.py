"""The one way to write a file: whole, or not at all, and on the disk when it is said to be there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = ".unfinished"
"""How the name of a file or folder ends that is being written."""

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
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        for file in unfinished.iterdir():
            flush(file)
        flush(unfinished)
        if path.exists():
            shutil.rmtree(earlier, ignore_errors=True)
            path.rename(earlier)
        unfinished.rename(path)
        flush(path.parent)
        shutil.rmtree(earlier, ignore_errors=True)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; names in it that are no text keep their bytes."""
    with whole_or_not(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="surrogateescape")


def flush(path: Path) -> None:
    """Have what was written to a file, or which names a folder has, on the disk before going on."""
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
