"""Processes that run cases: a worker for many, which is watched from outside, or one process for each."""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

from tests.reliability.fuzzing.verdict import Result
from tests.reliability.fuzzing.watch import peak, tree
from tests.reliability.fuzzing.worker import differ, made

HOME = Path(__file__).parents[3]
"""The repository."""

TOO_MUCH = 4_000_000_000
"""Bytes at which a process is ended, for the machine's sake."""


def environment(*path: Path) -> dict[str, str]:
    """Of the processes: one thread, nothing cached beside sources, and `path` before the repository."""
    more = {
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "160",
        "PYTHONIOENCODING": "utf-8",
    }
    found = {name: value for name, value in os.environ.items() if name != "DALIKIT_DATA"}
    return {**found, **more, "PYTHONPATH": os.pathsep.join(map(str, (*path, HOME)))}


class Pool:
    """A worker below `root` that is started anew when a case has ended it, or has taken `timeout` seconds."""

    def __init__(self, root: Path, timeout: float) -> None:
        self.root, self.timeout = root, timeout
        self.process: subprocess.Popen[str] | None = None

    def run(self, kind: str, seed: int, number: int) -> Result | str:
        """How a case ended; or `hang`, `memory` or `died`."""
        process = self.process or self._start()
        assert process.stdin is not None
        process.stdin.write(f"{kind} {seed} {number}\n")
        process.stdin.flush()
        answer = self._answer(process)
        if answer.startswith("{"):
            return Result(**json.loads(answer))
        self.close()
        return answer

    def close(self) -> None:
        """End the worker."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _start(self) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.fuzzing.worker", str(self.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=HOME,
            env=environment(),
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        return self.process

    def _answer(self, process: subprocess.Popen[str]) -> str:
        until = time.monotonic() + self.timeout
        assert process.stdout is not None
        while not select.select([process.stdout], [], [], 0.05)[0]:
            if time.monotonic() > until:
                return "hang"
            if process.poll() is None and peak(process.pid, "VmRSS") > TOO_MUCH:
                return "memory"
        return process.stdout.readline() or f"died by {process.wait()}"


def run_alone(root: Path, kind: str, seed: int, number: int, timeout: float) -> Result | str:
    """A case in a process of its own, as users start one; raises nothing."""
    case, place = made(root, kind, seed, number)
    words = [word.encode("utf-8", "surrogateescape") for word in case.words if _passable(word)]
    before = {**tree(place.folder), **tree(root / "runs")}
    started = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "dalikit", *words],
            capture_output=True,
            timeout=timeout,
            check=False,
            cwd=place.out,
            env=environment(*case.path),
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return "hang"
    after = {**tree(place.folder), **tree(root / "runs")}
    out, err = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    seconds = time.monotonic() - started
    return Result(
        done.returncode, out, err, seconds, 0, tuple(differ(before, after, place)), place.canary.exists()
    )


def _passable(word: str) -> bool:
    """Whether the system can hand a word to a process: neither with NUL nor longer than it takes."""
    return "\0" not in word and not any(0xD800 <= ord(c) < 0xDC80 for c in word) and len(word) < 100_000
