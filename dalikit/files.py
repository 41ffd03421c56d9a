"""The one way to write a file: whole, or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = ".unfinished"
"""How the name of a file ends that is being written."""


@contextmanager
def whole_or_not(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place when the block ends without an error.

    Folders that are missing are made. What was at `path` stays until all of the new content is there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; names in it that are no text keep their bytes."""
    with whole_or_not(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="surrogateescape")
