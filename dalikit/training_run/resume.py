"""A run gone on with: read back whole, held against what it was, restored."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dalikit.assembly import build, checking
from dalikit.assembly.inventory import check_present, components_of, tell_updates
from dalikit.assembly.registry import Registry
from dalikit.errors import UnfitError, UserError
from dalikit.runs import RunDirectory, RunFacts
from dalikit.runs.checkpoints import Checkpoint
from dalikit.runs.directory import SCORES
from dalikit.runs.manifest import ComponentFacts
from dalikit.training.trainer import Trainer
from dalikit.training_run.run import TrainingRun


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
        check_present(run, registry)
        if said := tell_updates(run, registry):
            warnings.warn(said, stacklevel=4)
        if steps is not None:
            stored = stored.model_copy(update={"trainer": {**stored.trainer, "steps": steps}})
        config = checking.check(stored, registry)
        trainer = build.make_trainer(config, registry, run, root, borrow=found is None)
        if found is not None:
            _restore(run, trainer, found, components_of(config, registry))
        if SCORES in changed:
            run.forget_scores()  # which nobody can vouch for: they are made anew
        _check_resumable(run, trainer)
        run.tidy()
        run.forget_scores()  # of a shorter training, which would pass for this one's if it is stopped again
        run.set_later_aside(trainer.step)
        # Lines of the checkpoint's own step were logged after it, and are so again.
        last = -1 if found is None else trainer.step - bool(found.state.scalars.get("untold"))
        run.rewind(None if found is None else found.manifest.log, last)
        if steps is not None or changed:
            run.replace_config(config)
        run.replace_facts(_resumed(run.facts))
        run.remember()
        if found is not None and (changed or found.manifest.settings != run.settings_digest):
            # Its manifest speaks of what was before: of edits, or of fewer settings than components have now.
            run.save_checkpoint(found.state, len(run.checkpoints()), found.manifest.components)
        yield TrainingRun(run, trainer, build.make_metrics(config.metrics, trainer.dataset, registry, root))


def _resumed(facts: RunFacts) -> RunFacts:
    """The facts with one more time at which training went on: what lay before it was a pause."""
    times = (facts.model_extra or {}).get("resumed")
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return facts.model_copy(update={"resumed": [*(times if isinstance(times, list) else []), now]})


def _check_unchanged(run: RunDirectory, found: Checkpoint | None, accept: bool) -> list[str]:
    """What of a run is not as it was written; raises `UserError` if there is any that nobody accepts."""
    changed = [*run.changed(None if found is None else found.manifest), *run.edited_scores()]
    if changed and not accept:
        raise UserError(
            f"Run {run.path} is not as it was written: {', '.join(changed)} changed. --accept-changes goes "
            "on with what is there now"
        )
    return changed


def _restore(run: RunDirectory, trainer: Trainer, found: Checkpoint, now: Sequence[ComponentFacts]) -> None:
    try:
        trainer.load_state(found.state)
    except (UnfitError, LookupError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        message = " ".join(str(error).split())[:300]
        there = {(each.kind, each.name): each for each in now}
        other = [
            f"; {was.kind} '{was.name}' is of {this.distribution} {this.version} now, not {was.version}"
            for was in found.manifest.components
            if (this := there.get((was.kind, was.name))) is not None and this.version != was.version
        ]
        step = found.manifest.step
        raise UserError(
            f"Run {run.path} is damaged: its checkpoint of step {step} does not fit: "
            f"{message}{''.join(other)}"
        ) from None


def _check_resumable(run: RunDirectory, trainer: Trainer) -> None:
    if not trainer.running and run.scored:
        raise UserError(
            f"Run {run.path} is complete at step {trainer.step}: --steps N with a greater N trains it further"
        )
    if trainer.step > trainer.steps:
        raise UserError(f"Run {run.path} is at step {trainer.step} already: --steps N with N no less goes on")
