"""What a command does beside its output: files that it writes, programs and pickles that it runs, memory."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = (
    *("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.link", "os.symlink", "os.truncate", "os.chmod"),
    *("os.chown", "os.utime", "shutil.rmtree", "shutil.move", "shutil.copyfile"),
)
FOLLOWING = ("open", "os.truncate", "os.chmod", "os.chown", "os.utime")
RUNS = (
    *("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "pickle.find_class"),
    "socket.connect",
)

TENSORS = {("torch._utils", "_rebuild_tensor_v2"), ("torch", "FloatStorage"), ("collections", "OrderedDict")}
"""What is named in the pickle of plain tensors that dalikit itself makes, and torch-fidelity reads."""


class Watch:
    """Notes of what the interpreter is asked for while it is on; there is one for each process."""

    def __init__(self) -> None:
        self.allowed: tuple[str, ...] | None = None
        self.found: list[str] = []
        sys.addaudithook(self._note)

    @contextmanager
    def over(self, *allowed: Path) -> Iterator[list[str]]:
        """Note what is written outside the `allowed` folders inside the block, and what is run."""
        self.found = []
        self.allowed = tuple(os.path.realpath(path) for path in allowed)
        try:
            yield self.found
        finally:
            self.allowed = None

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.allowed is None:
            return
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            self._changed(event, arguments[0])
        elif event in CHANGES:
            for path in arguments[:2] if event in ("os.rename", "os.link", "shutil.move") else arguments[:1]:
                self._changed(event, path)
        elif event in RUNS and arguments not in TENSORS:
            self.found.append(f"{event} {str(arguments)[:100]}")

    def _changed(self, event: str, path: Any) -> None:
        if not isinstance(path, str | bytes | os.PathLike):  # an open file
            return
        folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100 - of any bytes
        real = os.path.join(os.path.realpath(folder), name)  # noqa: PTH118
        if event in FOLLOWING:  # others are about a link itself
            real = os.path.realpath(real)
        if not any(real == folder or real.startswith(f"{folder}/") for folder in self.allowed or ()):
            self.found.append(f"{event} {real[:200]}")


def tree(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What lies below a folder: mode, size and time of change of each, links not followed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        folders = (
            0 if path.is_dir() and not path.is_symlink() else 1
        )  # a folder's own change with what is in it
        found[str(path)] = (status.st_mode, status.st_size * folders, status.st_mtime_ns * folders)
    return found


def forget_peak() -> None:
    """Let the kernel count the most memory that this process has held anew."""
    Path("/proc/self/clear_refs").write_text("5")


def peak(process: int | str = "self", field: str = "VmHWM") -> int:
    """The most bytes that a process has held since `forget_peak`; with `VmRSS` those that it holds now."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) << 10
    return 0
