"""One process at a time trains in a run: a file in its folder that the process holds locked."""

import os
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


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from training in `folder` inside the block; it is made if it is not there.

    The kernel frees the lock when the process ends, however it ends. Nothing is kept out where there is
    no `flock`: on Windows, and on some network file systems.

    Raises:
        UserError: another process trains there, or the folder cannot be written.
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
                with suppress(
                    OSError
                ):  # one that is left is of no account, and no reason to say nothing else
                    (folder / LOCK).unlink()  # while it is still held: what is there is never another's
            file.close()


def _hold(folder: Path) -> IO[str] | None:
    """The lock's file, held and with this process's number in it; None where there are no locks."""
    while fcntl is not None:
        file = (folder / LOCK).open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                holder = file.read().strip()
            holder = f"process {holder}" if holder else "another process"
            raise UserError(f"Run {folder} is being trained by {holder}") from None
        except OSError:  # a file system without locks
            file.close()
            break
        if _is_at(file, folder / LOCK):  # else its holder has ended since it was opened
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            return file
        file.close()
    return None


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether an open file is the one that is at `path` now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False
