"""The checkpoints of a run: weights as safetensors, all else as JSON."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from dalikit.errors import RunError, UserError
from dalikit.files import UNFINISHED
from dalikit.interfaces import TrainingState
from dalikit.runs.facts import BestFacts
from dalikit.runs.files import read_json, read_model

Which = Literal["last", "best"]
"""Averaged weights: of the last checkpoint, or those that validation found best."""

WEIGHTS = "averaged.safetensors"

_AVERAGE = "average/"


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of a run on disk, at `path`."""

    path: Path

    def checkpoints(self) -> list[Path]:
        """The checkpoints' folders, the oldest first."""
        return _folders(self.path / "checkpoints")

    def save_checkpoint(self, state: TrainingState, keep: int) -> Path:
        """Write a checkpoint whole or not at all, and drop all but the last `keep`.

        Raises:
            RunError: the disk is full or the folder cannot be written.
        """
        target = self.path / "checkpoints" / f"step-{state.scalars['step']:06d}"
        averaged = {n.removeprefix(_AVERAGE): t for n, t in state.tensors.items() if n.startswith(_AVERAGE)}
        training = {n: t for n, t in state.tensors.items() if not n.startswith(_AVERAGE)}
        with _whole_or_not(target) as unfinished:
            _save(averaged, unfinished / WEIGHTS)
            _save(training, unfinished / "training.safetensors")
            (unfinished / "state.json").write_text(json.dumps(state.scalars), encoding="utf-8")
        for old in self.checkpoints()[:-keep]:
            shutil.rmtree(old, ignore_errors=True)
        self._drop_passed()
        return target

    def bests(self) -> list[Path]:
        """The folders of averaged weights that were the best of their time, the best one last."""
        return _folders(self.path / "best")

    @property
    def best(self) -> BestFacts | None:
        """What the best weights are best by, or None where none were kept.

        Raises:
            UserError: the file is damaged.
        """
        bests = self.bests()
        return read_model(BestFacts, f"best/{bests[-1].name}/best.json", self.path) if bests else None

    def save_best(self, weights: Mapping[str, Tensor], facts: BestFacts) -> None:
        """Write averaged weights, better than all before, as the best; raises as `save_checkpoint` does.

        Earlier ones go, but those that were the best at a checkpoint, which training may go on from.
        """
        with _whole_or_not(self.path / "best" / f"step-{facts.step:06d}") as unfinished:
            _save({name: tensor.cpu().clone() for name, tensor in weights.items()}, unfinished / WEIGHTS)
            (unfinished / "best.json").write_text(facts.model_dump_json(indent=2), encoding="utf-8")
        self._drop_passed()

    def rewind_best(self, step: int) -> None:
        """Drop the best weights of after `step`."""
        for later in self.bests():
            if _step(later) > step:
                shutil.rmtree(later)

    def load_averaged(self, which: Which = "last") -> tuple[int, dict[str, Tensor]]:
        """The step and the averaged weights of the last checkpoint, or the best ones.

        Raises:
            UserError: there are none, they are damaged, or `which` is neither.
        """
        if which not in get_args(Which):
            raise UserError(f"There are no weights '{which}': it is last or best")
        folder = self._last_checkpoint() if which == "last" else self._best()
        return _step(folder), _load(folder / WEIGHTS)

    def load_state(self) -> TrainingState:
        """All of the last checkpoint; raises as `load_averaged` does."""
        folder = self._last_checkpoint()
        averaged = {f"{_AVERAGE}{n}": t for n, t in _load(folder / WEIGHTS).items()}
        tensors = {**_load(folder / "training.safetensors"), **averaged}
        return TrainingState(tensors, read_json(folder / "state.json", self.path))

    def _last_checkpoint(self) -> Path:
        if not (folders := self.checkpoints()):
            raise UserError(f"Run {self.path} has no checkpoint: it ended before it wrote one")
        return folders[-1]

    def _drop_passed(self) -> None:
        """Drop best weights that better ones have passed, but those that were the best at a checkpoint."""
        bests = self.bests()
        known = [_step(folder) for folder in (*self.checkpoints(), *bests[-1:])]
        needed = {max((b for b in bests if _step(b) <= step), key=_step, default=None) for step in known}
        for passed in set(bests) - needed:
            shutil.rmtree(passed, ignore_errors=True)

    def _best(self) -> Path:
        if not (folders := self.bests()):
            raise UserError(
                f"Run {self.path} has kept no best weights, which callbacks.best does where "
                "callbacks.evaluation scores them; there are the last"
            )
        return folders[-1]


def _step(folder: Path) -> int:
    return int(folder.name[5:])


def _folders(parent: Path) -> list[Path]:
    """The folders of steps in `parent`, the first step first."""
    return sorted((p for p in parent.glob("step-*") if re.fullmatch(r"step-\d+", p.name)), key=_step)


@contextmanager
def _whole_or_not(target: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `target` when the block ends without an error."""
    unfinished = target.with_suffix(UNFINISHED)
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        yield unfinished
        if target.exists():
            shutil.rmtree(target)
        unfinished.rename(target)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise RunError(f"Cannot write checkpoint {target}: {error}") from None


def _save(tensors: Mapping[str, Tensor], path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"Run {path.parents[2]} is damaged: {path.parent.name}/{path.name}: {error}"
        ) from None
