"""The checkpoints of a run: weights as safetensors, all else as JSON."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from dalikit.errors import RunError, UserError
from dalikit.files import UNFINISHED
from dalikit.interfaces import TrainingState
from dalikit.runs.files import read_json

_AVERAGE = "average/"


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of a run on disk, at `path`."""

    path: Path

    def checkpoints(self) -> list[Path]:
        """The checkpoints' folders, the oldest first."""
        folders = [p for p in self.path.glob("checkpoints/step-*") if re.fullmatch(r"step-\d+", p.name)]
        return sorted(folders, key=lambda p: int(p.name[5:]))

    def save_checkpoint(self, state: TrainingState, keep: int) -> Path:
        """Write a checkpoint whole or not at all, and drop all but the last `keep`.

        Raises:
            RunError: the disk is full or the folder cannot be written.
        """
        target = self.path / "checkpoints" / f"step-{state.scalars['step']:06d}"
        unfinished = target.with_suffix(UNFINISHED)
        try:
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            averaged = {
                n.removeprefix(_AVERAGE): t for n, t in state.tensors.items() if n.startswith(_AVERAGE)
            }
            training = {n: t for n, t in state.tensors.items() if not n.startswith(_AVERAGE)}
            _save(averaged, unfinished / "averaged.safetensors")
            _save(training, unfinished / "training.safetensors")
            (unfinished / "state.json").write_text(json.dumps(state.scalars), encoding="utf-8")
            if target.exists():
                shutil.rmtree(target)
            unfinished.rename(target)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise RunError(f"Cannot write checkpoint {target}: {error}") from None
        for old in self.checkpoints()[:-keep]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    def load_averaged(self) -> tuple[int, dict[str, Tensor]]:
        """The step and the averaged weights of the last checkpoint.

        Raises:
            UserError: there is no checkpoint, or it is damaged.
        """
        folder = self._last_checkpoint()
        return int(folder.name[5:]), _load(folder / "averaged.safetensors")

    def load_state(self) -> TrainingState:
        """All of the last checkpoint; raises as `load_averaged` does."""
        folder = self._last_checkpoint()
        averaged = {f"{_AVERAGE}{n}": t for n, t in _load(folder / "averaged.safetensors").items()}
        tensors = {**_load(folder / "training.safetensors"), **averaged}
        return TrainingState(tensors, read_json(folder / "state.json", self.path))

    def _last_checkpoint(self) -> Path:
        if not (folders := self.checkpoints()):
            raise UserError(f"Run {self.path} has no checkpoint: it ended before it wrote one")
        return folders[-1]


def _save(tensors: Mapping[str, Tensor], path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"Run {path.parents[2]} is damaged: {path.parent.name}/{path.name}: {error}"
        ) from None
