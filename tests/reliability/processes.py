"""Commands in processes of their own: forked from one that has imported all that is slow, or fresh."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch

from dalikit.errors import ENDING


@dataclass
class Process:
    """A process that was started, and the file with what it prints."""

    pid: int
    output: Path
    code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, the negative number of the signal that ended it, or None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code

    def wait(self, seconds: float = 120.0) -> int:
        """Its exit code; raises `TimeoutError`, and kills it, if it takes longer."""
        until = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > until:
                self.send(signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise TimeoutError(f"no end in {seconds:g} s: {self.said}")
            time.sleep(0.002)
        assert self.code is not None
        return self.code

    def send(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if self.poll() is None:
            os.kill(self.pid, number)

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(errors="replace")


def forked(call: Callable[[], int], output: Path) -> Process:
    """Have `call` run in a fork of this process, which has one thread, and end with what it returns."""
    sys.stdout.flush()
    if (pid := os.fork()) == 0:
        code = 70
        try:
            with output.open("wb", buffering=0) as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            for number in ENDING:
                signal.signal(number, signal.SIG_DFL)
            code = call()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return Process(pid, output)


def without_page(words: Sequence[object]) -> Sequence[object]:
    """The words; a training makes no page, which is no part of a run and takes longer than a tiny one."""
    return [*words, "--no-report"] if words[0] == "train" else words


def command(words: Sequence[object]) -> int:
    """`dalikit` with these words in this process, as `python -m dalikit` has it; returns the exit code."""
    from dalikit.__main__ import main

    own, sys.argv = sys.argv, ["dalikit", *map(str, without_page(words))]
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        sys.argv = own
    return 0


def fresh(words: Sequence[object], output: Path) -> Process:
    """A `python -m dalikit` that imports everything itself."""
    started = [sys.executable, "-m", "dalikit", *map(str, without_page(words))]
    return forked(lambda: os.execv(started[0], started), output)


def warm_up(call: Callable[[], int], output: Path) -> None:
    """Import here what `call` imports, so that forks need not; this process must keep its one thread."""
    torch.set_num_threads(1)

    def listed() -> int:
        code = call()
        output.write_text("\n".join(sys.modules))
        return code

    process = forked(listed, output)
    assert process.wait() == 0, process.said
    for name in process.said.split("\n"):
        with suppress(ImportError):  # what a library puts there that is no module
            import_module(name)
    threads = len(list(Path("/proc/self/task").iterdir()))
    assert threads == 1, f"{threads} threads: none but the first is in a fork"


def undesigned(said: str) -> bool:
    """Whether what a command printed is of an error that nobody designed."""
    return "Traceback" in said or "--debug shows where" in said
