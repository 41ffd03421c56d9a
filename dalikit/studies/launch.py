"""Carries out planned runs, each as a `dalikit` process of its own, several at once; stops and goes on.

What a run's folder holds decides what is left to do, so a plan that was interrupted goes on when it is
carried out again: a run with scores is skipped, and one that was begun is resumed.
One that a process still trains, whose parent was killed, is left to it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from dalikit.errors import ENDING, Interrupted, RunError, UserError
from dalikit.files import write_text
from dalikit.runs import RunDirectory
from dalikit.runs.configtext import to_yaml
from dalikit.runs.documents import CONFIG
from dalikit.studies.planned import PlannedRun
from dalikit.studies.records import ATTEMPTS

POLL = 0.05
"""Seconds between two looks at the running processes."""

Tell = Callable[[str], None]


@dataclass
class Job:
    """A run under way: the process, and when it started."""

    run: PlannedRun
    process: subprocess.Popen[bytes]
    started: float


def carry_out(runs: Sequence[PlannedRun], logs: Path, jobs: int, tell: Tell) -> dict[str, str]:
    """Do what is left of the runs, up to `jobs` at once; returns why runs failed, by run's name.

    Raises:
        Interrupted: Ctrl-C or SIGTERM, after the processes have stopped and left their checkpoints.
        RunError: the logs cannot be written.
    """
    waiting, faults = _list_waiting(runs)
    if done := len(runs) - len(waiting) - len(faults):
        tell(f"{done} of {len(runs)} runs are finished already")
    _make(logs)
    active: list[Job] = []
    with _stops() as caught:
        told = 0
        try:
            while active or (waiting and not caught):
                while waiting and len(active) < jobs and not caught:
                    _start(waiting.pop(0), active, logs, faults, tell, alone=jobs == 1)
                if len(caught) > told:  # each further signal is handed on: the second ends a run at once
                    _terminate(active)
                    told = len(caught)
                for job in [job for job in active if job.process.poll() is not None]:
                    active.remove(job)
                    _settle(job, logs, faults, tell, stopped=bool(caught))
                time.sleep(POLL)
        finally:
            _terminate(active)
            for job in active:
                job.process.wait()
    if caught:
        raise Interrupted(caught[0], "Stopped; the same command goes on from here")
    return faults


def _list_waiting(runs: Sequence[PlannedRun]) -> tuple[list[PlannedRun], dict[str, str]]:
    """The runs that are not finished; and by name, why others cannot be: their settings, or damage."""
    waiting: list[PlannedRun] = []
    faults: dict[str, str] = {}
    for run in runs:
        try:
            if run.config is None:
                faults[run.name] = run.fault
            elif not RunDirectory(run.folder).scored:
                waiting.append(run)
        except UserError as error:
            faults[run.name] = str(error)
    return waiting, faults


def set_scores_aside(runs: Sequence[PlannedRun]) -> None:
    """Have finished runs that left a metric out scored again, the old scores being kept until there are new.

    What was missing then, an extractor's weights for instance, may be there now. A run without a checkpoint
    is left as it is, for it would have to be trained again.
    """
    for run in runs:
        directory = RunDirectory(run.folder)
        try:
            if directory.scored and directory.scores.skipped and directory.checkpoints():
                directory.set_scores_aside()
        except UserError:
            continue  # damaged, which is said when the runs are carried out


def _start(
    run: PlannedRun, active: list[Job], logs: Path, faults: dict[str, str], tell: Tell, *, alone: bool
) -> None:
    """Start the process that does what is left of a run, or note why that cannot be."""
    try:
        words = _words(run, logs)
    except UserError as error:
        faults[run.name] = str(error)
        tell(f"{run.name} failed: {error}")
        return
    if words is None:
        tell(f"{run.name} was finished by another process")
        return
    active.append(_spawn(run, words, logs, alone=alone))
    tell(f"{run.name} …")


def _spawn(run: PlannedRun, words: Sequence[str], logs: Path, *, alone: bool) -> Job:
    threads = {} if alone else {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with _opened(logs / f"{run.name}.out") as out, _opened(logs / f"{run.name}.err") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "dalikit", *words], stdout=out, stderr=err, env={**os.environ, **threads}
        )
    return Job(run, process, time.monotonic())


def _words(run: PlannedRun, logs: Path) -> list[str] | None:
    """The command line that goes on with a run, wherever it was left; None where nothing is left to do.

    No page is made of each: that would be part of its time, and `dalikit report` makes one of the study.

    Raises:
        UserError: a process trains it.
        RunError: its configuration cannot be written.
    """
    assert run.config is not None
    directory = RunDirectory(run.folder)
    if run.folder.is_dir():
        with directory.locked():
            if directory.scored:
                return None
            if (run.folder / CONFIG).is_file():  # of these settings; begins anew where it has no checkpoint
                return ["train", "--resume", str(run.folder), "--no-report"]
    config = logs / f"{run.name}.yaml"
    try:
        write_text(config, to_yaml(run.config))
    except OSError as error:
        raise RunError(f"Cannot write {config}: {error.strerror}") from None
    return ["train", "--config", str(config), "--out", str(run.folder), "--no-report"]


def _settle(job: Job, logs: Path, faults: dict[str, str], tell: Tell, *, stopped: bool) -> None:
    """Note what a process that has ended leaves: its time, or why it failed."""
    seconds, code = time.monotonic() - job.started, int(job.process.returncode)
    try:
        if (job.run.folder / CONFIG).is_file():
            with (job.run.folder / ATTEMPTS).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"seconds": round(seconds, 2), "exit": code}) + "\n")
    except OSError as error:  # the other runs go on without this one's time
        tell(f"{job.run.name}: its time cannot be written down: {error.strerror}")
    if code == 0:
        tell(f"{job.run.name} finished after {seconds:.0f} s")
        return
    RunDirectory(job.run.folder).put_scores_back()
    if not stopped:
        faults[job.run.name] = _reason(logs / f"{job.run.name}.err", code)
        tell(f"{job.run.name} failed: {faults[job.run.name]}")


def _reason(errors: Path, code: int) -> str:
    """What ended the process: a signal, or else the last error, or other line, on standard error."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    lines = errors.read_text(encoding="utf-8", errors="replace").splitlines()
    if own := [line for line in lines if line.startswith("Error: ")]:
        return own[-1].removeprefix("Error: ").strip()
    if code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        return f"stopped by {signal.Signals(code - 128).name}"
    others = [line.strip() for line in lines if line.strip() and not line.startswith("Warning:")]
    return others[-1] if others else f"exit code {code}"


def _terminate(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.process.poll() is None:
            job.process.terminate()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"Cannot write {folder}: {error.strerror}") from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise RunError(f"Cannot write {path}: {error.strerror}") from None


@contextmanager
def _stops() -> Iterator[list[int]]:
    """Collect signals that ask for an end inside the block instead of being ended by them."""
    caught: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        caught.append(number)

    heard = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]  # as nohup asks
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
