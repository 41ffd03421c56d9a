"""A new run: resolved, made in a folder of its own, locked."""

import os
import platform
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
import torch

import dalikit
from dalikit.assembly import build, resolve
from dalikit.assembly.inventory import components_of
from dalikit.assembly.origins import origins
from dalikit.assembly.registry import OF, Registry
from dalikit.assembly.resolve import Resolved
from dalikit.errors import UserError
from dalikit.model import RunModel, load
from dalikit.runs import DataFacts, RunDirectory, RunFacts
from dalikit.runs.config import RunConfig
from dalikit.training.trainer import Trainer
from dalikit.training_run.run import TrainingRun
from dalikit.whereabouts import RUNS


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
        run.create(config, _facts(config, trainer, registry, command, origins(resolved)))
        yield TrainingRun(run, trainer, build.make_metrics(config.metrics, trainer.dataset, registry, root))


def _new_folder(what: str) -> Path:
    stamp, what = time.strftime("%Y%m%d-%H%M%S"), what.replace(OF, "-")
    folder, n = RUNS / f"{stamp}-{what}", 2
    while folder.exists():
        folder, n = RUNS / f"{stamp}-{what}-{n}", n + 1
    return folder


def _facts(
    config: RunConfig,
    trainer: Trainer,
    registry: Registry,
    command: Sequence[str],
    origins: Mapping[str, str],
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
    data, components = DataFacts.of(trainer.dataset), components_of(config, registry)
    return RunFacts(identity=uuid.uuid4().hex, data=data, components=components, **told)
