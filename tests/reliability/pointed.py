"""A short training at whose file operations something is done, and what a run must have kept afterwards."""

import json
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from operations import Act, Operations
from processes import Process, command, forked
from subjects import WATCHED, Subjects
from writing import Writing

from dalikit.components.callbacks import checkpoint
from dalikit.runs import RunDirectory

CRASHED = 77
"""The exit code of a process that was made to end at an operation."""

SHORT = {**WATCHED, "log": {"every": 2}, "evaluation": {"every": 2}, "pictures": {"every": 4, "count": 4}}
"""Callbacks of a training of four steps, all of which write."""


@dataclass
class Scenario:
    """A run, as it lies there before, and the command that is disturbed; the same command goes on with it."""

    name: str
    before: Path | None
    words: Callable[[Path], Sequence[object]]
    again: Callable[[Path], Sequence[object]]
    whole: Path

    def place(self, run: Path) -> Path:
        """The run as it lies there before."""
        if self.before is not None:
            shutil.copytree(self.before, run)
        return run


class Pointed:
    """Scenarios in a folder, each with the run that nobody disturbed."""

    def __init__(self, folder: Path) -> None:
        self.subjects = Subjects(folder)
        self.subjects.warm_up()

    def _config(self, steps: int, keep: int) -> Path:
        callbacks = {**SHORT, "checkpoint": {"every": 2, "keep": keep}}
        trainer = {"steps": steps, "batch_size": 16, "schedule": "constant"}
        path = self.subjects.config("dali", "ring8", callbacks=callbacks, trainer=trainer)
        return path.rename(path.with_name(f"{steps}-{keep}.yaml"))

    def fresh(self, keep: int) -> Scenario:
        """A training from its start."""
        config, whole = self._config(4, keep), self.subjects.new()
        self.subjects.whole(["train", "--config", config, "--out", whole])

        def words(run: Path) -> Sequence[object]:
            known = (run / "config.yaml").exists()
            return ["train", "--resume", run] if known else ["train", "--config", config, "--out", run]

        return Scenario(f"keep {keep}", None, words, words, whole)

    def same_step_twice(self, keep: int) -> Scenario:
        """A resume of a run that was edited: it writes the checkpoint that is there once more."""
        before, whole = self.subjects.new(), self.subjects.new()
        self.subjects.whole(["train", "--config", self._config(2, keep), "--out", before])
        with (before / "config.yaml").open("a") as file:
            file.write("# edited\n")
        shutil.copytree(before, whole)

        def words(run: Path) -> Sequence[object]:
            return ["train", "--resume", run, "--steps", 4, "--accept-changes"]

        self.subjects.whole(words(whole))
        return Scenario(f"keep {keep}, the same step twice", before, words, words, whole)

    def count(self, scenario: Scenario) -> Counter[str]:
        """How often the undisturbed command does which operation."""
        run, found = scenario.place(self.subjects.new()), self.subjects.output

        def counted() -> int:
            operations = Operations(run, crash)
            operations.install()
            code = command(scenario.words(run))
            found.write_text(json.dumps(operations.seen))
            return code

        process = forked(counted, self.subjects.output)
        assert process.wait() == 0, process.said
        return Counter(json.loads(found.read_text()))

    def disturbed(
        self, scenario: Scenario, run: Path, at: int, act: Act, *, lasting: bool = False
    ) -> tuple[Process, Writing]:
        """The command with one of its operations changed, ended; and what it had written by then."""
        writing = Writing()

        def called() -> int:
            writing.watch()
            checkpoint.PAUSES = (0, 0, 0)
            Operations(run, act, at, lasting=lasting).install()
            return command(scenario.words(run))

        process = forked(called, self.subjects.output)
        process.wait()
        return process, writing

    def recovered(self, scenario: Scenario, run: Path) -> str:
        """Go on to the end, unless it is there; what failed, or nothing."""
        scores = run / "scores.json"
        if scores.exists() and json.loads(scores.read_text())["step"] == 4:
            return ""
        process = self.subjects.command(scenario.again(run))
        return f"no end: {process.said.strip()[-300:]}" if process.wait() else ""


def newest_whole(run: Path) -> int:
    """The step of the newest whole checkpoint, -1 of none."""
    directory = RunDirectory(run)
    if not directory.checkpoints():
        return -1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return int(directory.load_checkpoint().manifest.step)


def crash(*_: Any) -> None:
    """End the process as a kill would."""
    os._exit(CRASHED)


def failing(number: int) -> Act:
    """What raises the error of this number in place of an operation."""
    return partial(_fail, number)


def _fail(number: int, kind: str, path: Path) -> None:
    raise OSError(number, os.strerror(number), str(path))
