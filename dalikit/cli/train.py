"""`dalikit train`: train, resume, and say what was reached."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dalikit.cli import settings
from dalikit.errors import Interrupted, UserError

if TYPE_CHECKING:
    from dalikit.assembly.registry import Registry
    from dalikit.runs import Facts, RunDirectory
    from dalikit.training import Trainer

GRACE = 2.0
"""Seconds in which a second signal is taken for the first one told twice."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(train)


def train(
    method: settings.Method = None,
    game: settings.Game = None,
    posterior: settings.Posterior = None,
    backbone: settings.Backbone = None,
    dataset: settings.Dataset = None,
    recipe: settings.Recipe = None,
    config: settings.ConfigFile = None,
    assignments: settings.Assignments = None,
    seed: settings.Seed = None,
    steps: settings.Steps = None,
    device: settings.Device = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.", show_default="a new one under runs/")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with this run; only --steps may change.")
    ] = None,
    data_root: settings.DataRoot = None,
    strict: settings.Strict = False,
) -> int:
    """Train a method: with no options, DALI on 8×8 digits, in about a minute."""
    started = time.monotonic()
    from dalikit.assembly import build, resolve
    from dalikit.assembly.registry import Registry
    from dalikit.runs import RunDirectory

    registry = Registry.discover(strict=strict)
    if resume is None:
        given = settings.layers(
            method, game, posterior, backbone, dataset, recipe, config, assignments, seed, steps, device
        )
        resolved = resolve.layered(given, registry)
        run = RunDirectory(out or _new_folder(f"{resolved.method.name}-{resolved.dataset.name}"))
        run.check_free()
        trainer = build.make_trainer(resolved, registry, run)
        with run.locked():
            run.create(resolved, _facts(trainer, registry))
            print(f"Training {resolved.method.name} on {resolved.dataset.name} into {run.path}", flush=True)
            return _fit(trainer, registry, run, started)
    others = (method, game, posterior, backbone, dataset, recipe, config, assignments, seed, device, out)
    if any(option is not None for option in others):
        raise UserError("--resume goes on with the run's own settings: only --steps may be given with it")
    from dalikit.cli.report import warn_of_other_data

    run = RunDirectory.open(resume)
    with run.locked():
        trainer = _resumed(run, registry, steps)
        warn_of_other_data(run, trainer.dataset)
        print(f"Going on with {run.path} at step {trainer.step} of {trainer.steps}", flush=True)
        return _fit(trainer, registry, run, started)


def _fit(trainer: "Trainer", registry: "Registry", run: "RunDirectory", started: float) -> int:
    """Train to the end, score, and say what was reached; returns the exit code."""
    _say_left_out(trainer, registry, run)
    if trainer.running:
        with _signals_stop(trainer, run) as caught, _threads(run.config.threads):
            trainer.fit()
        if caught and trainer.step < trainer.steps:
            return _say_interrupted(trainer, run, caught[0])
    _finish(trainer, registry, run, started)
    return 0


def _new_folder(what: str) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder, n = Path("runs") / f"{stamp}-{what}", 2
    while folder.exists():
        folder, n = Path("runs") / f"{stamp}-{what}-{n}", n + 1
    return folder


def _resumed(run: "RunDirectory", registry: "Registry", steps: int | None) -> "Trainer":
    from dalikit.assembly import build, resolve

    config = run.config
    if steps is not None:
        config = config.model_copy(update={"trainer": {**config.trainer, "steps": steps}})
        config = resolve.resolved(config, registry)
    state = run.load_state()
    trainer = build.make_trainer(config, registry, run, borrow=False)
    try:
        trainer.load_state(state)
    except (KeyError, IndexError, RuntimeError, TypeError, ValueError) as error:
        message = " ".join(str(error).split())[:300]
        raise UserError(f"Run {run.path} is damaged: its checkpoint does not fit: {message}") from None
    if not trainer.running and run.scored:
        raise UserError(
            f"Run {run.path} is complete at step {trainer.step}: --steps N with a greater N trains it further"
        )
    if trainer.step > trainer.steps:
        raise UserError(f"Run {run.path} is at step {trainer.step} already: --steps N with N no less goes on")
    run.forget_scores()  # of a shorter training, which would pass for this one's if it is stopped again
    run.rewind(trainer.step)
    if steps is not None:
        run.replace_config(config)
    return trainer


def _facts(trainer: "Trainer", registry: "Registry") -> "Facts":
    """What run.json says beside the configuration."""
    import platform

    import numpy
    import torch

    import dalikit
    from dalikit.runs import DataFacts, Facts

    data = trainer.dataset
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
        "command": sys.argv[1:],
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    shape = DataFacts(x_shape=data.x_shape, value_range=data.value_range, preparation=data.preparation)
    return Facts(data=shape, **told)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Compute with `count` CPU threads inside the block, or with as many as torch chooses."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _signals_stop(trainer: "Trainer", run: "RunDirectory") -> Iterator[list[int]]:
    """Let the first Ctrl-C or SIGTERM end training after its iteration; a later one ends it at once.

    One that follows within `GRACE` seconds is the same wish told twice, as wrappers and process groups do.
    """
    caught: list[int] = []
    first = 0.0

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal first
        if not caught:
            first = time.monotonic()
            caught.append(number)
            trainer.stop()
        elif time.monotonic() - first > GRACE:
            last = run.checkpoints()[-1:]
            where = (
                f"go on from {last[0].name}: dalikit train --resume {run.path}"
                if last
                else "nothing was saved"
            )
            raise Interrupted(number, f"Stopped at once by {signal.Signals(number).name}; {where}")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_interrupted(trainer: "Trainer", run: "RunDirectory", number: int) -> int:
    name = f"step-{trainer.step:06d}"
    saved = any(folder.name == name for folder in run.checkpoints())
    where = f"a checkpoint is in {run.path}" if saved else "no checkpoint was asked for"
    print(f"\nStopped by {signal.Signals(number).name} at step {trainer.step} of {trainer.steps}; {where}.")
    if saved:
        print(f"Go on with: dalikit train --resume {run.path}")
    return 128 + number


def _say_left_out(trainer: "Trainer", registry: "Registry", run: "RunDirectory") -> None:
    """Warn of metrics that were asked for and cannot be had, before hours are spent on training."""
    from dalikit.assembly.build import make_metrics

    for name, make in make_metrics(run.config.metrics, trainer.dataset, registry).items():
        reason = None if name in trainer.dataset.metrics else make().unfit(trainer.inference)
        if reason is not None:
            print(f"Warning: metric '{name}' will be left out: {reason}", file=sys.stderr, flush=True)


def _finish(trainer: "Trainer", registry: "Registry", run: "RunDirectory", started: float) -> None:
    from dalikit.assembly.build import make_metrics
    from dalikit.cli.report import scores_document, scores_table
    from dalikit.model import scores_of

    makers = make_metrics(run.config.metrics, trainer.dataset, registry)
    scores, skipped = scores_of(trainer.inference, makers)
    run.save_scores(scores_document(run, trainer.step, trainer.dataset, scores, skipped))
    scores_table(scores, skipped)
    seconds = time.monotonic() - started
    print(f"Reached step {trainer.step} in {seconds:.0f} s. Everything lies in {run.path}")
    print(
        f"  pictures   {run.path / 'samples'}"
        + ("/ and reconstructions/" if trainer.inference.infers else "/")
    )
    print("Next:")
    print(f"  dalikit sample {run.path}")
    if trainer.inference.infers:
        print(f"  dalikit reconstruct {run.path}")
    print(f"  dalikit evaluate {run.path}")
