"""The life of a run: it is started or resumed, trained under its lock, scored, and finished."""

import copy
import os
import platform
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import torch

import dalikit
from dalikit.assembly import build, checking, resolve
from dalikit.assembly.origins import origins
from dalikit.assembly.registry import Registry
from dalikit.assembly.resolve import Resolved
from dalikit.assembly.timing import threads
from dalikit.errors import UserError
from dalikit.evaluation import scoring
from dalikit.evaluation.scoring import Maker
from dalikit.interfaces import Score
from dalikit.model import RunModel, load
from dalikit.runs import DataFacts, RunDirectory, RunFacts
from dalikit.runs.checkpoints import Checkpoint
from dalikit.runs.config import RunConfig
from dalikit.runs.scores import KeptScores, scores_document
from dalikit.training.trainer import Trainer


@dataclass
class TrainingRun:
    """A run that this process may train: it holds the lock.

    Attributes:
        scores: the final ones, once it is finished.
        skipped: by metric, why there is none.
        best: the final ones of the best weights, where any were kept.
    """

    run: RunDirectory
    trainer: Trainer
    metrics: Mapping[str, Maker]
    scores: list[Score] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    best: KeptScores | None = None

    @property
    def finished(self) -> bool:
        """Whether it has reached its last step, and was scored there."""
        return self.trainer.concluded

    def fit(self) -> None:
        """Train to the last step and score, or until the trainer is told to stop."""
        with threads(self.run.config.threads):
            self.trainer.fit(self._conclude)

    def missing(self) -> dict[str, str]:
        """Metrics that were asked for and cannot be had, better known before hours are spent on training."""
        asked = {n: make for n, make in self.metrics.items() if n not in self.trainer.dataset.metrics}
        reasons = {name: make("test").unfit(self.trainer.inference) for name, make in asked.items()}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def _conclude(self) -> None:
        trainer = self.trainer
        self.scores, self.skipped = scoring.score_all(self.metrics, trainer.inference, check=trainer.check)
        self.best = self._score_best()
        document = scores_document(
            self.run, trainer.step, trainer.dataset, self.scores, self.skipped, best=self.best
        )
        self.run.save_scores(document)
        told = ("step", "metrics", "skipped", "best")
        trainer.log({"event": "scores", **{name: document[name] for name in told if name in document}})

    def _score_best(self) -> KeptScores | None:
        best = self.run.best
        if best is None:
            return None
        if best.step == self.trainer.step:
            return KeptScores(best, self.scores, self.skipped)
        method = copy.deepcopy(self.trainer.inference)
        method.load_state_dict(self.run.load_averaged("best")[1])
        return KeptScores(best, *scoring.score_all(self.metrics, method, check=self.trainer.check))


def train(
    recipe: str | None = None,
    *,
    out: str | Path | None = None,
    data_root: str | Path | None = None,
    registry: Registry | None = None,
    **settings: Any,
) -> RunModel:
    """Train a run, and return the trained model.

    Args:
        recipe: a named configuration to start from, the data set's own unless given.
        out: the run's folder, a new one under `runs/` unless given.
        data_root: where data sets lie; `DALIKIT_DATA`, else `data` in the current folder, unless given.
        registry: the components; all installed ones by default.
        settings: sections of a configuration: `method="ali"`, `trainer={"steps": 500}`, `seed=1` and so on.

    Raises:
        UserError: a setting is unknown or means nothing, or the folder holds something already.
        RunError: something failed in training.
    """
    root = None if data_root is None else Path(data_root)
    known = registry or Registry.discover()
    resolved = resolve.resolve([{"recipe": recipe, **settings}], known, root)
    config = resolved.config
    if config.callbacks.get("checkpoint") is None:
        raise UserError("What is returned is what the last checkpoint holds: callbacks.checkpoint is needed")
    with start(resolved, known, None if out is None else Path(out), root) as training:
        training.fit()
    return load(training.run.path, config.device, known, root)


@contextmanager
def start(
    resolved: Resolved,
    registry: Registry,
    out: Path | None = None,
    root: Path | None = None,
    command: Sequence[str] = (),
) -> Iterator[TrainingRun]:
    """A new run of a resolved configuration, made in `out` or in a new folder under `runs/`, and locked.

    Raises:
        UserError: the folder holds something, or components do not fit; nothing was written then.
    """
    config = resolved.config
    run = RunDirectory(out or _new_folder(f"{config.method.name}-{config.dataset.name}"))
    run.check_free()
    trainer = build.make_trainer(config, registry, run, root)
    with run.locked():
        run.create(config, _facts(trainer, registry, command, origins(resolved)))
        yield TrainingRun(run, trainer, _metrics(config, trainer, registry, root))


@contextmanager
def resume(
    path: Path,
    registry: Registry,
    steps: int | None = None,
    root: Path | None = None,
    *,
    accept_changes: bool = False,
) -> Iterator[TrainingRun]:
    """A run as its last whole checkpoint has it, locked; as it began where it ended before it wrote one.

    With `steps` its training is made longer.

    Raises:
        UserError: there is no run, it is damaged or complete, or its components are not there; or it is not
            as it was written, and `accept_changes` is false.
    """
    run = RunDirectory.open(path)
    with run.locked():
        found = run.load_checkpoint() if run.checkpoints() else None
        changed = _check_unchanged(run, found, accept_changes)
        stored = run.config
        if steps is not None:
            stored = stored.model_copy(update={"trainer": {**stored.trainer, "steps": steps}})
        config = checking.check(stored, registry)
        trainer = build.make_trainer(config, registry, run, root, borrow=found is None)
        if found is not None:
            _restore(run, trainer, found)
        _check_resumable(run, trainer)
        run.forget_scores()  # of a shorter training, which would pass for this one's if it is stopped again
        run.set_later_aside(trainer.step)
        run.rewind(None if found is None else found.manifest.log, trainer.step if found else -1)
        if steps is not None or changed:
            run.replace_config(config)
        if changed:
            run.replace_facts(run.facts)
            if found is not None:  # its manifest speaks of what was before
                run.save_checkpoint(found.state, len(run.checkpoints()), found.manifest.components)
        yield TrainingRun(run, trainer, _metrics(config, trainer, registry, root))


def _check_unchanged(run: RunDirectory, found: Checkpoint | None, accept: bool) -> list[str]:
    """What of a run is not as it was written; raises `UserError` if there is any that nobody accepts."""
    changed = run.edited()
    if found is not None:
        if not changed and found.manifest.settings != run.settings_digest:
            changed.append("config.yaml (it is another run's)")
        if not run.log_holds(found.manifest.log):
            changed.append("metrics.jsonl")
    if changed and not accept:
        raise UserError(
            f"Run {run.path} is not as it was written: {', '.join(changed)} changed. --accept-changes goes "
            "on with what is there now"
        )
    return changed


def _restore(run: RunDirectory, trainer: Trainer, found: Checkpoint) -> None:
    try:
        trainer.load_state(found.state)
    except (KeyError, IndexError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        message = " ".join(str(error).split())[:300]
        raise UserError(f"Run {run.path} is damaged: its checkpoint does not fit: {message}") from None


def _check_resumable(run: RunDirectory, trainer: Trainer) -> None:
    if not trainer.running and run.scored:
        raise UserError(
            f"Run {run.path} is complete at step {trainer.step}: --steps N with a greater N trains it further"
        )
    if trainer.step > trainer.steps:
        raise UserError(f"Run {run.path} is at step {trainer.step} already: --steps N with N no less goes on")


def _metrics(config: RunConfig, trainer: Trainer, registry: Registry, root: Path | None) -> dict[str, Maker]:
    return build.make_metrics(config.metrics, trainer.dataset, registry, root)


def _new_folder(what: str) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder, n = Path("runs") / f"{stamp}-{what}", 2
    while folder.exists():
        folder, n = Path("runs") / f"{stamp}-{what}-{n}", n + 1
    return folder


def _facts(
    trainer: Trainer, registry: Registry, command: Sequence[str], origins: Mapping[str, str]
) -> RunFacts:
    """What run.json says beside the configuration."""
    plugins = sorted({(row.distribution, row.version) for row in registry.rows})
    told: dict[str, Any] = {
        "dalikit": dalikit.__version__,
        "plugins": [{"distribution": name, "version": version} for name, version in plugins],
        "environment": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": numpy.__version__,
            "platform": platform.platform(),
            "device": str(next(trainer.method.parameters()).device),
            "cpus": os.cpu_count(),
        },
        "command": list(command),
        "origins": dict(origins),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    return RunFacts(identity=uuid.uuid4().hex, data=DataFacts.of(trainer.dataset), **told)
