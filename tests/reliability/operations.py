"""Every operation of a process on files below a folder, counted; one, or all from it on, are changed."""

import builtins
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dalikit.runs import folders

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

Act = Callable[[str, Path], None]
"""What is done in place of an operation: by its kind and path."""


class Operations:
    """Counts opening for writing, writes, flushes, renames, and what makes and removes files and folders.

    At operation number `at`, the first of which is 1, and at later ones too where it is `lasting`, `act` is
    called before it; a write is then half done. Made for a process that ends soon: nothing is put back.

    Args:
        folder: whose files count.
        act: what happens there.
        at: the number; none, with 0.
        lasting: from there on.
    """

    def __init__(self, folder: Path, act: Act, at: int = 0, *, lasting: bool = False) -> None:
        self.folder, self.act, self.at, self.lasting = str(folder), act, at, lasting
        self.seen: list[str] = []

    def install(self) -> None:
        """Count from here on."""
        for name, kind in (
            ("rename", "rename"),
            ("replace", "rename"),
            ("mkdir", "mkdir"),
            ("rmdir", "rmdir"),
        ):
            self._wrap(name, kind)
        for name in ("unlink", "remove"):
            self._wrap(name, "unlink")
        self._wrap_open()
        self._wrap_fsync()
        self._wrap_files()
        self._wrap_tensors()

    def _point(self, kind: str, path: Path, tear: Callable[[], Any] = lambda: None) -> None:
        if not str(path).startswith(self.folder):
            return
        self.seen.append(kind)
        if len(self.seen) == self.at or (self.lasting and 0 < self.at < len(self.seen)):
            tear()
            self.act(kind, path)

    def _wrap(self, name: str, kind: str) -> None:
        real = getattr(os, name)

        def wrapped(path: Any, *given: Any, **named: Any) -> Any:
            self._point(kind, _whole(path, named.get("dir_fd", named.get("src_dir_fd"))))
            return real(path, *given, **named)

        setattr(os, name, wrapped)

    def _wrap_open(self) -> None:
        real = os.open

        def wrapped(path: Any, flags: int, *given: Any, **named: Any) -> int:
            if flags & WRITING:
                self._point("open", _whole(path, named.get("dir_fd")))
            return real(path, flags, *given, **named)

        os.open = wrapped  # type: ignore[assignment]

    def _wrap_fsync(self) -> None:
        real = os.fsync

        def wrapped(handle: int) -> None:
            self._point("fsync", Path(f"/proc/self/fd/{handle}").readlink())
            real(handle)

        os.fsync = wrapped  # type: ignore[assignment]

    def _wrap_files(self) -> None:
        real = io.open

        def wrapped(path: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
            writes = isinstance(path, str | os.PathLike) and set(mode) & set("wax+")
            if writes:
                self._point("open", _whole(path))
            file = real(path, mode, *given, **named)
            if writes:
                self._wrap_write(file, _whole(path))
            return file

        io.open = builtins.open = wrapped

    def _wrap_write(self, file: Any, path: Path) -> None:
        real = file.write

        def wrapped(content: Any) -> Any:
            self._point("write", path, lambda: (real(content[: len(content) // 2]), file.flush()))
            return real(content)

        file.write = wrapped

    def _wrap_tensors(self) -> None:
        """What is compiled writes by itself."""
        real = folders.save_file

        def wrapped(tensors: Any, path: Any, *given: Any) -> None:
            def torn() -> None:
                real(tensors, path, *given)
                os.truncate(path, Path(path).stat().st_size // 2)

            self._point("open", _whole(path))
            self._point("write", _whole(path), torn)
            real(tensors, path, *given)

        folders.save_file = wrapped


def _whole(path: Any, folder: int | None = None) -> Path:
    """A path, of which the start may be an open folder."""
    place = Path() if folder is None else Path(f"/proc/self/fd/{folder}").readlink()
    return place.absolute() / os.fsdecode(path)
