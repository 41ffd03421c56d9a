"""The run directory on disk: what is written where, and how it is read back.

    config.yaml               the resolved configuration
    run.json                  the data's shape, versions of dalikit and of every plugin, environment
    metrics.jsonl             losses and scores, one JSON object a line
    samples/step-000500.png   samples, through training
    reconstructions/…         originals and reconstructions in turn
    checkpoints/step-000500/  averaged.safetensors, training.safetensors, state.json
    scores.json               the final scores
    .lock                     while a process trains in it: that process's number

Nothing here is ever loaded by running code: weights are safetensors, the rest is JSON and YAML.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from dalikit.config import RunConfig, from_file, merged, to_yaml
from dalikit.errors import RunError, UserError
from dalikit.interfaces import Dataset, Metric, TrainingState

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FORMAT = 1
"""The version of this layout, stored in run.json."""

LOCK = ".lock"
"""The file that a process which trains in the folder holds locked."""

OWN = {"run.json", "config.yaml", "metrics.jsonl", "scores.json", "samples", "reconstructions", "checkpoints"}
"""What a run consists of."""

_AVERAGE = "average/"

M = TypeVar("M", bound=BaseModel)


class DataFacts(BaseModel):
    """What a run must know of its data to be used without them."""

    model_config = ConfigDict(frozen=True, extra="allow")

    x_shape: tuple[PositiveInt, ...] = Field(min_length=1)
    value_range: tuple[float, float] | None
    preparation: str = ""


class Facts(BaseModel):
    """What run.json says: the format, the data, and whatever is told besides (versions, environment)."""

    model_config = ConfigDict(frozen=True, extra="allow")

    format: int = FORMAT
    data: DataFacts


class FinalScores(BaseModel):
    """What scores.json says: of which step, weights and data, and each metric's values with its protocol."""

    model_config = ConfigDict(frozen=True, extra="allow")

    step: int
    weights: str
    data: DataFacts
    metrics: dict[str, dict[str, Any]]
    skipped: dict[str, str]


@dataclass(frozen=True)
class RunDirectory:
    """A run on disk, at `path`."""

    path: Path

    def check_free(self) -> None:
        """Raise `UserError` if the folder holds something already. Changes nothing."""
        path = self.path
        if (path / "config.yaml").exists():
            raise UserError(
                f"Output {path} holds a run already: go on with it by `dalikit train --resume {path}`, or "
                "choose another --out. Nothing was changed."
            )
        if path.exists() and (not path.is_dir() or any(found.name != LOCK for found in path.iterdir())):
            raise UserError(
                f"Output {path} is not an empty folder: choose another --out. Nothing was changed."
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training here inside the block; the folder is made if it is not there.

        The kernel frees the lock when the process ends, however it ends. Nothing is kept out where there is
        no `flock`: on Windows, and on some network file systems.

        Raises:
            UserError: another process trains here, or the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = self._lock()
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            yield
        finally:
            if file is not None:
                if _is_at(file, self.path / LOCK):
                    (self.path / LOCK).unlink()  # while it is still held: what is there is never another's
                file.close()

    def create(self, config: RunConfig, facts: Facts) -> None:
        """Make the folder, and write the configuration and the `facts` of the run into it.

        Raises:
            UserError: the folder holds something already, or cannot be made.
        """
        self.check_free()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._write("run.json", facts.model_dump_json(indent=2))
            self._write("config.yaml", to_yaml(config))
        except OSError as error:
            raise self._unwritable(error) from None

    def clear(self) -> None:
        """Remove a run, but for its lock, so that it may be made anew: one that left no checkpoint.

        A folder that is no run's, as it holds something else and no config.yaml, is left as it is.

        Raises:
            UserError: a file cannot be removed.
        """
        found = [path for path in self.path.iterdir() if path.name != LOCK]
        if not (self.path / "config.yaml").is_file() and not all(map(_own, found)):
            return
        try:
            # The configuration last: what is killed in the middle of this is still known for a run.
            for path in sorted(found, key=lambda path: path.name == "config.yaml"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            raise self._unwritable(error) from None

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """The run at `path`.

        Raises:
            UserError: there is none, or it is of another format.
        """
        run = cls(path)
        if not path.is_dir() or not (path / "config.yaml").is_file():
            raise UserError(f"{path} is not a run: it has no config.yaml. `dalikit train` makes runs.")
        if run.facts.format != FORMAT:
            raise UserError(f"Run {path} is of format {run.facts.format}, this dalikit reads {FORMAT}")
        return run

    @property
    def config(self) -> RunConfig:
        """The resolved configuration.

        Raises:
            UserError: the file is damaged.
        """
        config = merged([from_file(self.path / "config.yaml")])
        if config.generator is None or config.generator.latent_size is None:
            raise UserError(f"Run {self.path} is damaged: config.yaml does not say generator.latent_size")
        return config

    @property
    def facts(self) -> "Facts":
        """What run.json says.

        Raises:
            UserError: the file is missing or damaged.
        """
        return self._validated(Facts, "run.json")

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl; `time` is added to it."""
        stamped = {**record, "time": datetime.now(UTC).isoformat(timespec="milliseconds")}
        try:
            line = json.dumps(stamped, allow_nan=False)
            with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except ValueError:
            raise RunError(f"Cannot log {record}: a value is not finite") from None
        except OSError as error:
            raise RunError(f"Cannot write {self.path / 'metrics.jsonl'}: {error.strerror}") from None

    def rewind(self, step: int) -> None:
        """Drop the log's lines of after `step`, which a resumed run will write again.

        Raises:
            UserError: the log is damaged.
        """
        if not (self.path / "metrics.jsonl").exists():
            return
        self._write("metrics.jsonl", "".join(text for text, line in self._log() if line["step"] <= step))

    def log_lines(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl, without a last one that was cut off.

        Raises:
            UserError: the log is damaged.
        """
        return [line for _, line in self._log()]

    @property
    def scores(self) -> FinalScores:
        """The final scores.

        Raises:
            UserError: the file is missing or damaged.
        """
        return self._validated(FinalScores, "scores.json")

    @property
    def scored(self) -> bool:
        """Whether it is finished: trained to its last step and scored there, not before it was gone on with.

        Raises:
            UserError: its scores or its configuration are damaged.
        """
        there = (self.path / "scores.json").is_file()
        return there and self.scores.step == self.config.trainer.get("steps")

    def forget_scores(self) -> None:
        """Remove the final scores, where there are any."""
        (self.path / "scores.json").unlink(missing_ok=True)

    def save_scores(self, scores: Mapping[str, Any]) -> None:
        """Write scores.json."""
        try:
            self._write("scores.json", json.dumps(scores, indent=2))
        except OSError as error:
            raise RunError(f"Cannot write {self.path / 'scores.json'}: {error.strerror}") from None

    def replace_config(self, config: RunConfig) -> None:
        """Write another configuration, e.g. with more steps."""
        self._write("config.yaml", to_yaml(config))

    def checkpoints(self) -> list[Path]:
        """The checkpoints' folders, the oldest first."""
        found = [p for p in self.path.glob("checkpoints/step-*") if re.fullmatch(r"step-\d+", p.name)]
        return sorted(found, key=lambda p: int(p.name[5:]))

    def save_checkpoint(self, state: TrainingState, keep: int) -> Path:
        """Write a checkpoint whole or not at all, and drop all but the last `keep`.

        Raises:
            RunError: the disk is full or the folder cannot be written.
        """
        target = self.path / "checkpoints" / f"step-{state.scalars['step']:06d}"
        unfinished = target.with_suffix(".unfinished")
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
        return TrainingState(tensors, self._read_json(folder / "state.json"))

    def _last_checkpoint(self) -> Path:
        if not (found := self.checkpoints()):
            raise UserError(f"Run {self.path} has no checkpoint: it ended before it wrote one")
        return found[-1]

    def _lock(self) -> IO[str] | None:
        """The lock's file, held and with this process's number in it; None where there are no locks."""
        while fcntl is not None:
            file = (self.path / LOCK).open("a+", encoding="utf-8")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with file:
                    file.seek(0)
                    holder = file.read().strip()
                holder = f"process {holder}" if holder else "another process"
                raise UserError(f"Run {self.path} is being trained by {holder}") from None
            except OSError:  # a file system without locks
                file.close()
                break
            if _is_at(file, self.path / LOCK):  # else its holder has ended since it was opened
                file.truncate(0)
                file.write(f"{os.getpid()}\n")
                file.flush()
                return file
            file.close()
        return None

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"Output {self.path} cannot be written: {error.strerror}")

    def _log(self) -> list[tuple[str, dict[str, Any]]]:
        """The lines of the log, as text and as what they say."""
        path = self.path / "metrics.jsonl"
        try:
            texts = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
            if texts and not texts[-1].endswith("\n"):
                texts.pop()  # a process was killed, or a disk was full, in the middle of it
            return [(text, _record(text)) for text in texts if text.strip()]
        except (OSError, ValueError, AttributeError):
            raise UserError(
                f"Run {self.path} is damaged: metrics.jsonl has a line that is not a record"
            ) from None

    def _write(self, name: str, text: str) -> None:
        write_whole(self.path / name, text)

    def _validated(self, model: type[M], name: str) -> M:
        try:
            return model.model_validate(self._read_json(self.path / name))
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"])
            raise UserError(f"Run {self.path} is damaged: {name}: {place}: {fault['msg']}") from None

    def _read_json(self, path: Path) -> dict[str, Any]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
            raise UserError(f"Run {self.path} is damaged: {path.name}: {reason}") from None
        if not isinstance(content, dict):
            raise UserError(f"Run {self.path} is damaged: {path.name} holds no object")
        return content


@dataclass(frozen=True)
class Context:
    """What callbacks are built with: the run directory, the data set, and new metrics by name."""

    run: RunDirectory
    dataset: Dataset
    metrics: Mapping[str, Callable[[], Metric]]


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all: what was there stays until all of the text is."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _record(text: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(text)
    if not isinstance(record.get("step"), int):
        raise ValueError("a line has no step")
    return record


def _own(path: Path) -> bool:
    return path.name in OWN or path.suffix == ".unfinished"


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether an open file is the one that is at `path` now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _save(tensors: Mapping[str, Tensor], path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"Run {path.parents[2]} is damaged: {path.parent.name}/{path.name}: {error}"
        ) from None
