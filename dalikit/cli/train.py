"""`dalikit train`: train, resume, and say what was reached."""

import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Annotated

import typer

from dalikit.cli import reports, settings
from dalikit.cli.completing import run_folders
from dalikit.cli.quiet import Quiet, hushed
from dalikit.cli.signals import first_gracefully
from dalikit.cli.using import named
from dalikit.errors import NonFiniteLossError, RunGoneError, UserError

if TYPE_CHECKING:
    from dalikit.assembly.resolve import Resolved
    from dalikit.runs import RunDirectory
    from dalikit.training import Trainer
    from dalikit.training_run import TrainingRun

OUT_OF_TIME = 124
"""The exit code where `--max-time` ended training, as that of `timeout`."""


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
    on_nonfinite: Annotated[
        str | None,
        typer.Option(
            metavar="stop|rollback",
            help="On a loss that is not finite: end, or go back and try again at half the rates.",
            show_default="stop",
        ),
    ] = None,
    max_time: Annotated[
        float | None,
        typer.Option(
            "--max-time", min=0, max=1e6, metavar="MINUTES", help="Stop with a checkpoint by then; code 124."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.", show_default="a new one under runs/")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Go on with this run; only --steps may change.",
            callback=named,
            autocompletion=run_folders,
        ),
    ] = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Resume a run whose files were edited, as they are now.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be trained and how long it would take, no more.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Make the run's page at the end (extra `report`).")
    ] = True,
    data_root: settings.DataRoot = None,
    quiet: Quiet = False,
) -> int:
    """Train a method: with no options, DALI on 8×8 digits, in about a minute."""
    started = time.monotonic()
    from dalikit import training_run
    from dalikit.assembly.inventory import registry_for
    from dalikit.assembly.registry import Registry
    from dalikit.assembly.resolve import resolve
    from dalikit.runs import RunDirectory

    if resume is not None:
        components = (method, game, posterior, backbone, data, dataset, augmentation)
        own = (recipe, config, assignments, seed, minutes, device, from_run, on_nonfinite, out)
        if any(option is not None for option in (*components, *own)) or dry_run:
            raise UserError(
                "--resume goes on with the run's own settings: of these only --steps may be given"
            )
        registry = registry_for(RunDirectory.open(resume))
        again = training_run.resume(resume, registry, steps, data_root, accept_changes=accept_changes)
        with hushed(quiet), again as training:
            trainer = training.trainer
            from dalikit.cli.report import warn_of_other_data

            warn_of_other_data(training.run, trainer.dataset)
            print(f"Going on with {resume} at step {trainer.step} of {trainer.steps}", flush=True)
            return _fit(training, started, max_time, report=report)
    if accept_changes:
        raise UserError("--accept-changes belongs to --resume: a new run has nothing that was changed")
    registry = Registry.discover()
    source = settings.dataset_of(data, dataset, registry)
    others = (method, game, posterior, backbone, source, augmentation, recipe, config, assignments, seed)
    given = settings.layers(*others, steps, minutes, device, from_run, on_nonfinite)
    later = reports.SECONDS if report and reports.installed() else 0.0
    resolved = resolve(given, registry, data_root, spent=time.monotonic() - started + later)
    if dry_run:
        from dalikit.cli.dry_run import print_plan

        print_plan(resolved.config, registry, data_root)
        return 0
    with hushed(quiet), training_run.start(resolved, registry, out, data_root, sys.argv[1:]) as training:
        _introduce(resolved, training)
        return _fit(training, started, max_time, report=report)


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


def _fit(training: "TrainingRun", started: float, max_time: float | None, *, report: bool) -> int:
    """Train to the end, score, and say what was reached; returns the exit code."""
    for name, reason in training.missing().items():
        print(f"Warning: metric '{name}' will be left out: {reason}", file=sys.stderr, flush=True)
    trainer, told = training.trainer, partial(_last_words, training.run)
    with first_gracefully(trainer.interrupt, told) as caught, _interrupted_after(max_time, started, trainer):
        try:
            _train(training)
        finally:
            _say_failures(trainer)
    if training.finished:
        _say_finished(training, started, report=report)
        return 0
    if caught:
        why, code = signal.Signals(caught[0]).name, 128 + caught[0]
    else:  # a callback may ask for an end too, and that is what its user wants of it
        why, code = (f"--max-time {max_time:g}", OUT_OF_TIME) if trainer.interrupted else ("a callback", 0)
    _say_interrupted(trainer, training.run, why)
    return code


def _train(training: "TrainingRun") -> None:
    """Train; an error that ends it also says how to go on, where the same would not come again."""
    try:
        training.fit()
    except (NonFiniteLossError, RunGoneError):
        raise
    except Exception as error:
        error.add_note(_last_words(training.run))
        raise


@contextmanager
def _interrupted_after(minutes: float | None, started: float, trainer: "Trainer") -> Iterator[None]:
    """Interrupt the trainer `minutes` after the start of the command, if they are given."""
    if minutes is None:
        yield
        return
    if not math.isfinite(minutes):
        raise UserError(f"--max-time {minutes}: a number of minutes is needed")
    clock = Timer(max(0.0, 60 * minutes - (time.monotonic() - started)), trainer.interrupt)
    clock.daemon = True
    clock.start()
    try:
        yield
    finally:
        clock.cancel()


def _last_words(run: "RunDirectory") -> str:
    last = run.checkpoints()[-1:]
    go_on = f"dalikit train --resume {run.path}"
    return f"go on from {last[0].name}: {go_on}" if last else f"nothing was saved; start anew: {go_on}"


def _say_failures(trainer: "Trainer") -> None:
    for name, count in trainer.watchers.failures.items():
        times = "once" if count == 1 else f"{count} times"
        print(f"Warning: callback '{name}' failed {times}; what it makes is missing there", file=sys.stderr)


def _say_interrupted(trainer: "Trainer", run: "RunDirectory", why: str) -> None:
    name = f"step-{trainer.step:06d}"
    saved = any(folder.name == name for folder in run.checkpoints())
    missing = "no checkpoint was asked for" if trainer.step else "nothing was trained yet"
    where = f"a checkpoint is in {run.path}" if saved else missing
    print(f"\nStopped by {why} at step {trainer.step} of {trainer.steps}; {where}.")
    if saved or not trainer.step:
        print(f"Go on with: dalikit train --resume {run.path}")


def _say_finished(training: "TrainingRun", started: float, *, report: bool) -> None:
    from dalikit.cli.report import scores_table
    from dalikit.pictures import drawable

    trainer, path = training.trainer, training.run.path
    scores_table(training.scores, training.skipped, training.best)
    page = reports.report_trained(training) if report and reports.installed() else None
    print(f"Reached step {trainer.step} in {time.monotonic() - started:.0f} s. Everything lies in {path}")
    infers, seen = trainer.inference.infers, drawable(trainer.dataset.spec)
    if seen and (path / "samples").is_dir():
        print(f"  pictures   {path / 'samples'}{'/ and reconstructions/' if infers else '/'}")
    if page is not None:
        print(f"  report     {page}")
    print("Next:")
    code = "reconstruct" if seen else "encode"  # of vectors there are no pictures to look at
    for command in (*(["report"] if page is None else []), "sample", *([code] if infers else []), "evaluate"):
        print(f"  dalikit {command} {path}")
