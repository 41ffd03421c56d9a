"""The checkpoints of a run, and its best weights: as safetensors, all else as JSON, each with a manifest."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from torch import Tensor

from dalikit.errors import RunGoneError, UserError
from dalikit.files import remove_folder
from dalikit.interfaces import TrainingState
from dalikit.interfaces.watching import not_finite
from dalikit.runs.documents import FACTS, RunDocuments
from dalikit.runs.facts import BestFacts
from dalikit.runs.folders import folders, load_tensors, newest, save_tensors, step_of, written
from dalikit.runs.lock import held
from dalikit.runs.log import RunLog
from dalikit.runs.manifest import ComponentFacts, DamagedError, Manifest

Which = Literal["last", "best"]
"""Averaged weights: of the last checkpoint, or those that validation found best."""

WEIGHTS, TRAINING, STATE = "averaged.safetensors", "training.safetensors", "state.json"

_AVERAGE = "average/"


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint as it was read: what training goes on from, and what its manifest says."""

    state: TrainingState
    manifest: Manifest


@dataclass(frozen=True)
class Checkpoints(RunDocuments, RunLog):
    """The checkpoints of a run on disk, at `path`."""

    path: Path

    def checkpoints(self) -> list[Path]:
        """The checkpoints' folders, the oldest first."""
        return folders(self.path / "checkpoints")

    def save_checkpoint(
        self, state: TrainingState, keep: int, components: Sequence[ComponentFacts] = ()
    ) -> Path:
        """Write a checkpoint whole or not at all, and then drop all but the last `keep`.

        Raises:
            RunError: the disk is full or the folder cannot be written.
        """
        target = self.path / "checkpoints" / f"step-{state.scalars['step']:06d}"
        averaged = {n.removeprefix(_AVERAGE): t for n, t in state.tensors.items() if n.startswith(_AVERAGE)}
        training = {n: t for n, t in state.tensors.items() if not n.startswith(_AVERAGE)}
        manifest = self._manifest(state.scalars["step"], state.scalars.get("infinite", ()))
        self.flush_log()
        also = {"components": tuple(components), "log": self.log_facts()}
        with written(target, manifest.model_copy(update=also)) as unfinished:
            save_tensors(averaged, unfinished / WEIGHTS)
            save_tensors(training, unfinished / TRAINING)
            (unfinished / STATE).write_text(json.dumps(state.scalars), encoding="utf-8")
        for old in self.checkpoints()[:-keep]:
            remove_folder(old)
        self._drop_passed()
        return target

    def check_there(self) -> None:
        """Raise `RunGoneError` where the run is no longer there, so that nothing makes its folder again."""
        if self.settings_digest and not (self.path / FACTS).is_file():
            raise RunGoneError(f"Run {self.path} is not there any more: it was moved or removed")

    def set_later_aside(self, step: int) -> None:
        """Keep checkpoints of after `step`, which were not whole, from being taken for ones that are."""
        for folder in self.checkpoints():
            if step_of(folder) > step:
                shutil.rmtree(folder.with_suffix(".damaged"), ignore_errors=True)
                folder.rename(folder.with_suffix(".damaged"))

    def bests(self) -> list[Path]:
        """The folders of averaged weights that were the best of their time, the best one last."""
        return folders(self.path / "best")

    @property
    def best(self) -> BestFacts | None:
        """What the best weights are best by, or None where none were kept.

        Raises:
            UserError: the file is damaged.
        """
        return newest(self.path / "best", self.identity, _best_facts)

    def save_best(
        self, weights: Mapping[str, Tensor], facts: BestFacts, infinite: Sequence[str] = ()
    ) -> None:
        """Write averaged weights, better than all before, as the best; raises as `save_checkpoint` does.

        Those whose names are in `infinite` are not finite by design.

        Earlier ones go, but those that were the best at a checkpoint, which training may go on from.
        """
        target = self.path / "best" / f"step-{facts.step:06d}"
        with written(target, self._manifest(facts.step, infinite)) as unfinished:
            save_tensors(
                {name: tensor.cpu().clone() for name, tensor in weights.items()}, unfinished / WEIGHTS
            )
            (unfinished / "best.json").write_text(facts.model_dump_json(indent=2), encoding="utf-8")
        self._drop_passed()

    def rewind_best(self, step: int) -> None:
        """Drop the best weights of after `step`."""
        for later in self.bests():
            if step_of(later) > step:
                remove_folder(later)

    def load_averaged(self, which: Which = "last") -> tuple[int, dict[str, Tensor]]:
        """The step and the averaged weights of the last whole checkpoint, or the best ones.

        Raises:
            UserError: there are none, they are damaged, or `which` is neither.
        """
        if which not in get_args(Which):
            raise UserError(f"There are no weights '{which}': it is last or best")
        parent = self.path / ("checkpoints" if which == "last" else "best")
        found = newest(parent, self.identity, _averaged)
        if found is None:
            raise self._nothing_saved() if which == "last" else self._nothing_kept()
        return found

    def load_best(self) -> tuple[BestFacts, dict[str, Tensor]] | None:
        """The best weights and what they are best by, of one folder; None where none were kept.

        Raises:
            UserError: they are damaged, and so are those before them.
        """
        return newest(self.path / "best", self.identity, _kept_best)

    def load_checkpoint(self) -> Checkpoint:
        """All of the last whole checkpoint; raises as `load_averaged` does."""
        found = newest(self.path / "checkpoints", self.identity, _whole)
        if found is None:
            raise self._nothing_saved()
        return found

    @property
    def components(self) -> tuple[ComponentFacts, ...]:
        """What the run is made of, and where that came from: as it began, or as its last checkpoint has it.

        Raises:
            UserError: run.json is damaged, and so are the checkpoints where that does not say.
        """
        began = self.facts.components
        last = None if began else newest(self.path / "checkpoints", self.identity, _manifest_alone)
        return began if last is None else last.components

    def _manifest(self, step: int, infinite: Sequence[str]) -> Manifest:
        """One without files yet; raises as `check_there` does."""
        self.check_there()
        return Manifest(
            run=self.identity, step=step, settings=self.settings_digest, infinite=tuple(infinite), files={}
        )

    def _drop_passed(self) -> None:
        """Drop best weights that better ones have passed, but those that were the best at a checkpoint."""
        bests = self.bests()
        needed = set(bests[-1:])
        for step in map(step_of, self.checkpoints()):
            # A checkpoint is written before its own step is scored, and knows the best before that.
            before = [best for best in bests if step_of(best) < step]
            needed |= {*before[-1:], *(best for best in bests if step_of(best) == step)}
        for passed in set(bests) - needed:
            remove_folder(passed)

    def _nothing_saved(self) -> UserError:
        if held(self.path):
            return UserError(
                f"Run {self.path} is still in training, and has no checkpoint yet: one comes every "
                "callbacks.checkpoint.every steps, and when it is stopped by Ctrl-C"
            )
        return UserError(
            f"Run {self.path} has no checkpoint: it ended before it wrote one. `dalikit train --resume "
            f"{self.path}` starts it anew, with the same settings"
        )

    def _nothing_kept(self) -> UserError:
        return UserError(
            f"Run {self.path} has kept no best weights, which callbacks.best does where "
            "callbacks.evaluation scores them; there are the last"
        )


def _manifest_alone(folder: Path, manifest: Manifest) -> Manifest:
    return manifest


def _best_facts(folder: Path, manifest: Manifest) -> BestFacts:
    return BestFacts.model_validate_json(manifest.content(folder, "best.json"))


def _kept_best(folder: Path, manifest: Manifest) -> tuple[BestFacts, dict[str, Tensor]]:
    return _best_facts(folder, manifest), _averaged(folder, manifest)[1]


def _averaged(folder: Path, manifest: Manifest) -> tuple[int, dict[str, Tensor]]:
    tensors = load_tensors(folder, manifest, WEIGHTS)
    if wrong := [name for name in not_finite(tensors) if name not in manifest.infinite]:
        raise DamagedError(f"{folder.name}: {wrong[0]} is not finite")
    return manifest.step, tensors


def _whole(folder: Path, manifest: Manifest) -> Checkpoint:
    averaged = load_tensors(folder, manifest, WEIGHTS)
    tensors = load_tensors(folder, manifest, TRAINING) | {_AVERAGE + n: t for n, t in averaged.items()}
    state = TrainingState(tensors, _scalars(folder, manifest))
    if (name := state.nonfinite) is not None:
        raise DamagedError(f"{folder.name}: {name} is not finite")
    return Checkpoint(state, manifest)


def _scalars(folder: Path, manifest: Manifest) -> dict[str, Any]:
    try:
        found = json.loads(manifest.content(folder, STATE))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DamagedError(f"{folder.name}/{STATE} holds no JSON object")
    return found
