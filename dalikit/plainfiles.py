"""Plain files alone: what waits for another process, as a FIFO does, or never ends is not opened."""

import os
import stat
from errno import EFBIG, EINVAL, EISDIR
from pathlib import Path
from typing import IO


def open_plain(path: Path) -> IO[bytes]:
    """The plain file at `path`, or where a link there leads, to be read.

    Raises:
        OSError: there is none, it cannot be read, or what is there is a folder, a FIFO, a device, a socket.
    """
    # Without O_NONBLOCK opening a FIFO would wait for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    return _plain(os.fdopen(os.open(path, flags), "rb"), path)


def append_plain(path: Path) -> IO[bytes]:
    """The plain file at `path`, made where there is none, to be written to at its end, without a buffer.

    Raises:
        OSError: it cannot be written, or what is there is a link, a folder, a FIFO, a device, a socket.
    """
    # A link would lead what is written out of the folder that it is meant for.
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_BINARY"):
        flags |= getattr(os, name, 0)
    return _plain(os.fdopen(os.open(path, flags, 0o666), "ab", buffering=0), path)


def check_plain(path: Path) -> None:
    """Raise as `open_plain` does, for readers that want a path."""
    open_plain(path).close()


def read_text(path: Path, most: int) -> str:
    """The text in a plain file of at most so many bytes.

    Raises:
        OSError: as `open_plain`, or the file is larger.
        UnicodeDecodeError: it is no UTF-8.
    """
    with open_plain(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(EFBIG, f"larger than {most >> 20} MiB", str(path))
    return content.decode("utf-8")


def _plain(file: IO[bytes], path: Path) -> IO[bytes]:
    """The open file, if it is a plain one; else it is closed, and said to be none."""
    try:
        _check(os.fstat(file.fileno()).st_mode, path)
    except OSError:
        file.close()
        raise
    return file


def _check(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise OSError(EISDIR, os.strerror(EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(EINVAL, "not a plain file", str(path))
