"""What a run is, how far it came, and what was reached."""

from collections.abc import Sequence
from math import isfinite

from dalikit.reporting.blocks import Block, Facts, Figures, Note
from dalikit.reporting.section import Section
from dalikit.reporting.subject import FINISHED, STOPPED, TRAINING, Subject
from dalikit.reporting.use import Use
from dalikit.studies import records
from dalikit.studies.render import duration

SHOWN = 4
"""Figures at most; the section on scores has all of them."""


class Overview(Section):
    """The run in a few lines."""

    key, title = "overview", "Overview"

    def alone(self, run: Subject, use: Use | None) -> Sequence[Block]:
        """Its state, figures and facts."""
        notes = [Note(fault) for fault in run.faults]
        if (state := _state(run, use)) is not None:
            notes.insert(0, Note(state))
        figures = _figures(run)
        return [*notes, *([Figures(figures)] if figures else []), Facts(_facts(run), short=True)]


def _state(run: Subject, use: Use | None) -> str | None:
    """What is to be known of a run that is not finished."""
    reached = f"step {run.step:,}" + (f" of {run.steps:,}" if run.steps else "")
    shown = "" if use is None or use.step == run.step else f" Its weights are those of step {use.step:,}."
    if run.state == TRAINING:
        return f"This run is still in training, at {reached}: it has no final scores yet.{shown}"
    if run.state == STOPPED:
        return (
            f"This run is not finished: it stopped at {reached}, and has no final scores.{shown} "
            f"`dalikit train --resume` goes on with it."
        )
    return None


def _figures(run: Subject) -> list[tuple[str, str]]:
    """The first values of the final scores."""
    metrics = {} if run.scores is None else run.scores.metrics
    found = [
        (f"{metric}: {field}", figure(value))
        for metric, values in metrics.items()
        for field, value in values.items()
        if is_number(value) and not field.endswith("_std")
    ]
    return found[:SHOWN]


def is_number(value: object) -> bool:
    """Whether a value of a score or of the log is a number that can be shown."""
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def figure(value: float) -> str:
    """A score as people read it.

    Examples:
        >>> figure(25), figure(0.0123456), figure(81.23456)
        ('25', '0.01235', '81.23')
    """
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _facts(run: Subject) -> dict[str, str]:
    config, players = run.config, run.config.players
    named = {kind: players[kind].name for kind in ("game", "posterior") if kind in players}
    reached = f"{run.step:,}" + (f" of {run.steps:,}" if run.steps and run.state != FINISHED else "")
    seconds = records.read(run.run.path).seconds if run.state == FINISHED else None
    stamps = run.facts.data.stamp or {}
    counts = " / ".join(f"{stamp.count:,}" for stamp in stamps.values())
    told = {
        "Method": config.method.name,
        **{kind.capitalize(): name for kind, name in named.items()},
        "Networks": config.backbone,
        "Data": config.dataset.name,
        "Train / validation / test": counts,
        "Code": f"{config.latent_size} entries",
        "State": run.state,
        "Steps": reached,
        "Time": "" if seconds is None else duration(seconds),
        "Seed": str(config.seed),
        "Started": str(run.told("started") or ""),
    }
    return {name: str(value) for name, value in told.items() if value}
