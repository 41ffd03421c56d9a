"""One process at a time trains in a run: a file in its folder that the process holds locked."""

import os
import stat
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from dalikit.errors import UserError
from dalikit.runs.files import unwritable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""The file that a process which trains in the folder holds locked."""

LOOKS, MOMENT = 4, 0.02
"""How often a lock that is held is tried, and seconds between."""

DIGITS = 20
"""The most that is read of the number of the process which holds it."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from training in `folder` inside the block; it is made if it is not there.

    The kernel frees the lock when the process ends, however it ends. Nothing is kept out where there is
    no `flock`: on Windows, and, with a warning, on some network file systems.

    Raises:
        UserError: another process trains there, the folder cannot be written, or its lock is no file of
            its own: a link, a folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _hold(folder)
    except OSError as error:
        raise unwritable(folder, error) from None
    try:
        yield
    finally:
        if file is not None:
            if _is_at(file, folder / LOCK):
                # While it is held, so that it is never another's; one that is left is of no account.
                with suppress(OSError):
                    (folder / LOCK).unlink()
            file.close()


def held(folder: Path) -> bool:
    """Whether a process trains in `folder`; nothing is written. False where there is no `flock`."""
    if fcntl is None:
        return False
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # nobody has, or none that `locked` would take for a lock
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(handle)
    return False


def lockable(path: Path) -> bool:
    """Whether a lock on the file at `path` keeps out others who open it, as it is on most file systems."""
    if fcntl is None:
        return False
    with path.open("rb") as one, path.open("rb") as other:
        try:
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _hold(folder: Path) -> IO[str] | None:
    """The lock's file, held and with this process's number in it; None where there are no locks."""
    looks = LOOKS
    while fcntl is not None:
        file = _open(folder / LOCK)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if looks := looks - 1:  # whoever asks whether it is held holds it for a moment
                file.close()
                time.sleep(MOMENT)
                continue
            with file:
                holder = file.read(DIGITS).strip()
            holder = f"process {holder}" if holder.isdecimal() else "another process"
            raise UserError(f"Run {folder} is being trained by {holder}") from None
        except OSError:
            file.close()
            warnings.warn(
                f"{folder} lies on a file system without locks: nothing keeps a second training out of it",
                stacklevel=4,
            )
            break
        if _is_at(file, folder / LOCK):  # else its holder has ended since it was opened
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            return file
        file.close()
    return None


def _open(path: Path) -> IO[str]:
    """The lock's file, made if it is not there: what is written to it must be nothing else's.

    Raises:
        UserError: it is a link, a folder, a FIFO, or has another name besides.
        OSError: it cannot be opened.
    """
    try:
        # Without O_NONBLOCK a FIFO might be waited for.
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise _no_lock(path) from None
        raise
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(handle)
        raise _no_lock(path)
    return os.fdopen(handle, "r+", encoding="utf-8", errors="replace")


def _no_lock(path: Path) -> UserError:
    return UserError(f"{path} is no lock but a link, or no plain file: remove it. Nothing was changed.")


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether an open file is the one that is at `path` now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except OSError:
        return False
