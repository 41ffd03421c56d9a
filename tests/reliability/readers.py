"""A run in training, others that would train it too, and ten that read it all the while.

    python tests/reliability/readers.py 300

The trainer writes a checkpoint every second step and keeps one, so that readers come upon it in any state.
The others must be refused in one line that names the trainer. Each reader must have, without a warning, the
averaged weights of some step as the trainer had them: not of two steps, and none that it never had.
"""

import argparse
import itertools
import json
import signal
import tempfile
import time
import warnings
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from processes import Process, command, forked, undesigned
from subjects import WATCHED, Subjects
from tally import Tally
from traces import digest

import dalikit
from dalikit.runs import RunDirectory

READERS = 10


def fingerprint(tensors: dict[str, torch.Tensor]) -> str:
    """A digest of the values of tensors, by name."""
    return digest(b"".join(name.encode() + tensors[name].numpy().tobytes() for name in sorted(tensors)))


def train(words: list[Any], told: Path) -> int:
    """A training that tells of each checkpoint what its averaged weights are, before it writes it."""
    real = RunDirectory.save_checkpoint

    @wraps(real)
    def saved(run: RunDirectory, state: Any, *given: Any, **named: Any) -> Any:
        start = "average/"
        mine = {name.removeprefix(start): t for name, t in state.tensors.items() if name.startswith(start)}
        with told.open("a") as file:
            file.write(json.dumps([state.scalars["step"], fingerprint(mine)]) + "\n")
        return real(run, state, *given, **named)

    RunDirectory.save_checkpoint = saved  # type: ignore[method-assign]
    return command(words)


def read(run: Path, until: float, found: Path) -> int:
    """Read the run again and again: by the files, and as a model that is sampled."""
    with found.open("w") as file, warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in itertools.count():
            if time.monotonic() > until:
                return 0
            if number % 2:
                step, tensors = RunDirectory(run).load_averaged()
                print(json.dumps([step, fingerprint(tensors)]), file=file)
            else:
                model = dalikit.load(run)
                assert model.sample(2).isfinite().all()
                print(json.dumps([model.step, fingerprint(model.method.state_dict())]), file=file)
    return 0


def watched(folder: Path, seconds: float) -> Tally:
    """What came of it in so many seconds, in an empty folder."""
    subjects, tally = Subjects(folder), Tally("Two trainers and ten readers on one run")
    subjects.warm_up()
    run, told = subjects.new(), folder / "told.jsonl"
    callbacks = {**WATCHED, "progress": None, "checkpoint": {"every": 2, "keep": 1}}
    trainer = {"steps": 10**6, "batch_size": 16, "schedule": "constant"}
    config = subjects.config("dali", "ring8", callbacks=callbacks, trainer=trainer)
    words = ["train", "--config", config, "--out", run]
    first = forked(lambda: train(words, told), subjects.output)
    while not list(run.glob("checkpoints/step-*[0-9]")):
        assert first.poll() is None, first.said
        time.sleep(0.05)
    until = time.monotonic() + seconds
    places = [folder / f"reader-{number}.jsonl" for number in range(READERS)]
    readers = [
        forked(lambda place=place: read(run, until, place), subjects.output)  # type: ignore[misc]
        for place in places
    ]
    _refused(subjects, run, first, tally)
    while time.monotonic() < until:
        time.sleep(min(1.0, seconds / 4))
        _refused(subjects, run, first, tally)
    _check(readers, places, first, told, tally)
    return tally


def _refused(subjects: Subjects, run: Path, first: Process, tally: Tally) -> None:
    second = subjects.command(["train", "--resume", run])
    code = second.wait()
    sound = code == 2 and f"is being trained by process {first.pid}" in second.said
    tally.count("other trainers refused" if sound else "other trainers not refused")
    if not sound or undesigned(second.said):
        tally.wrong.append(f"another trainer: exit {code}: {second.said.strip()[-300:]}")


def _check(readers: list[Process], places: list[Path], first: Process, told: Path, tally: Tally) -> None:
    for reader in readers:
        if reader.wait():
            tally.wrong.append(f"a reader ended: {reader.said.strip()[-400:]}")
    first.send(signal.SIGTERM)
    if first.wait() != 128 + signal.SIGTERM:
        tally.wrong.append(f"the trainer ended with {first.code}: {first.said.strip()[-400:]}")
    wrote = {tuple(json.loads(line)) for line in told.read_text().splitlines()}
    tally.count("checkpoints written", len(wrote))
    for place in places:
        for line in place.read_text().splitlines():
            step, weights = json.loads(line)
            tally.check((step, weights) in wrote, f"weights of step {step} that the trainer never had")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        watched(Path(place), given.seconds).finish()
