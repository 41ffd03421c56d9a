"""`dalikit train`: train, resume, and say what was reached."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from dalikit.cli import settings
from dalikit.errors import Interrupted, UserError

if TYPE_CHECKING:
    from dalikit.assembly.resolve import Resolved
    from dalikit.runs import RunDirectory
    from dalikit.training import Trainer
    from dalikit.training_run import TrainingRun

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
    data: settings.Data = None,
    augmentation: settings.Augmentation = None,
    recipe: settings.Recipe = None,
    config: settings.ConfigFile = None,
    assignments: settings.Assignments = None,
    seed: settings.Seed = None,
    steps: settings.Steps = None,
    minutes: settings.Minutes = None,
    device: settings.Device = None,
    from_run: settings.FromRun = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.", show_default="a new one under runs/")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with this run; only --steps may change.")
    ] = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Resume a run whose files were edited, as they are now.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be trained and how long it would take, no more.")
    ] = False,
    data_root: settings.DataRoot = None,
    strict: settings.Strict = False,
) -> int:
    """Train a method: with no options, DALI on 8×8 digits, in about a minute."""
    started = time.monotonic()
    from dalikit import training_run
    from dalikit.assembly.registry import Registry
    from dalikit.assembly.resolve import resolve

    registry = Registry.discover(strict=strict)
    source = settings.dataset_of(data, dataset, registry)
    others = (method, game, posterior, backbone, source, augmentation, recipe, config, assignments, seed)
    if resume is not None:
        if any(option is not None for option in (*others, minutes, device, from_run, out)) or dry_run:
            raise UserError("--resume goes on with the run's own settings: only --steps may be given with it")
        with training_run.resume(
            resume, registry, steps, data_root, accept_changes=accept_changes
        ) as training:
            trainer = training.trainer
            from dalikit.cli.report import warn_of_other_data

            warn_of_other_data(training.run, trainer.dataset)
            print(f"Going on with {resume} at step {trainer.step} of {trainer.steps}", flush=True)
            return _fit(training, started)
    if accept_changes:
        raise UserError("--accept-changes belongs to --resume: a new run has nothing that was changed")
    given = settings.layers(*others, steps, minutes, device, from_run)
    resolved = resolve(given, registry, data_root, spent=time.monotonic() - started)
    if dry_run:
        from dalikit.cli.dry_run import print_plan

        print_plan(resolved.config, registry, data_root)
        return 0
    with training_run.start(resolved, registry, out, data_root, sys.argv[1:]) as training:
        _introduce(resolved, training)
        return _fit(training, started)


def _introduce(resolved: "Resolved", training: "TrainingRun") -> None:
    """Say what is trained on what, and how long it will take, before it begins."""
    config, trainer = resolved.config, training.trainer
    for line in trainer.dataset.introduction():
        print(line)
    length = f"{trainer.steps:,} steps of {trainer.stream.batch_size}, {trainer.epochs:.3g} epochs"
    steps = resolved.derived.get("trainer.steps")
    timed = (
        "" if steps is None else f" in about {config.minutes:g} minutes (--minutes or --steps say otherwise)"
    )
    what = f"{config.method.name} on {config.dataset.name}"
    print(f"Training {what} into {training.run.path}: {length}{timed}", flush=True)


def _fit(training: "TrainingRun", started: float) -> int:
    """Train to the end, score, and say what was reached; returns the exit code."""
    for name, reason in training.missing().items():
        print(f"Warning: metric '{name}' will be left out: {reason}", file=sys.stderr, flush=True)
    with _signals_stop(training.trainer, training.run) as caught:
        training.fit()
    if caught and not training.finished:
        return _say_interrupted(training.trainer, training.run, caught[0])
    _say_finished(training, started)
    return 0


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


def _say_finished(training: "TrainingRun", started: float) -> None:
    from dalikit.cli.report import scores_table

    trainer, path = training.trainer, training.run.path
    scores_table(training.scores, training.skipped, training.best)
    print(f"Reached step {trainer.step} in {time.monotonic() - started:.0f} s. Everything lies in {path}")
    infers = trainer.inference.infers
    print(f"  pictures   {path / 'samples'}{'/ and reconstructions/' if infers else '/'}")
    print("Next:")
    for command in ("sample", *(["reconstruct"] if infers else []), "evaluate"):
        print(f"  dalikit {command} {path}")
