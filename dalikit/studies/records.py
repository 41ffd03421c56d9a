"""What a finished run left behind, read for tables: scores of the last and the best weights, steps, time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dalikit.errors import UserError
from dalikit.interfaces import StudyColumn
from dalikit.runs import BestScores, RunDirectory
from dalikit.runs.lock import held

ATTEMPTS = "attempts.jsonl"
"""In a run's folder: a line for each process that worked on it, with its seconds and exit code."""


NONE = timedelta()


@dataclass(frozen=True)
class Record:
    """A finished run.

    Attributes:
        metrics: by name, values and `protocol`, as in scores.json.
        skipped: by metric, why it was left out.
        shared: what holds for all its scores: which weights, and the data's preparation.
        kept: scores of the best weights by validation, where the run kept them.
    """

    folder: Path
    step: int
    seconds: float | None
    metrics: Mapping[str, Mapping[str, Any]]
    skipped: Mapping[str, str]
    shared: Mapping[str, Any]
    kept: BestScores | None = None

    def final(self, column: StudyColumn) -> float | None:
        """The column's figure at the end of training, or None."""
        return _number(self.metrics.get(column.metric, {}).get(column.field), column)

    def best(self, column: StudyColumn) -> float | None:
        """The column's figure with the best weights, or None."""
        metrics = {} if self.kept is None else self.kept.metrics
        return _number(metrics.get(column.metric, {}).get(column.field), column)

    def reason(self, column: StudyColumn) -> str:
        """Why there is no figure for the column."""
        if column.metric in self.skipped:
            return self.skipped[column.metric]
        if column.metric in self.metrics:
            return f"metric '{column.metric}' gives no '{column.field}' on these data"
        return f"metric '{column.metric}' was not computed"

    def protocol(self, metric: str) -> dict[str, Any]:
        """All that the metric's figures depend on beside the model."""
        return {**self.shared, **self.metrics[metric].get("protocol", {})}


def read(folder: Path) -> Record:
    """The record of a finished run.

    Raises:
        UserError: it is not finished, or it is damaged.
    """
    run = RunDirectory(folder)
    if not run.scored and held(folder):
        raise UserError(f"Run {folder} is still in training: it has no final scores yet")
    if not run.scored:
        raise UserError(
            f"Run {folder} has no scores.json of its last step: it is not finished; "
            f"`dalikit train --resume {folder}` goes on"
        )
    scores = run.scores
    return Record(
        folder,
        scores.step,
        seconds_of(folder) or _measure_log(run, run.log_lines()),
        scores.metrics,
        scores.skipped,
        {"weights": scores.weights, "preparation": scores.data.preparation},
        scores.best,
    )


def seconds_of(folder: Path) -> float | None:
    """The time that processes spent on a run, or None where nothing was written down."""
    try:
        lines = (folder / ATTEMPTS).read_text(encoding="utf-8").splitlines()
        return sum(float(json.loads(line)["seconds"]) for line in lines if line)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _number(value: Any, column: StudyColumn) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return column.scale * value


def _measure_log(run: RunDirectory, log: Sequence[Mapping[str, Any]]) -> float | None:
    """From each start or resumption to the last line that was logged before the next one, in all.

    What a run of before dalikit noted its resumptions paused, counts.
    """
    try:
        told = run.facts.model_extra or {}
        starts = [datetime.fromisoformat(text) for text in (told["started"], *told.get("resumed", ()))]
        times = [datetime.fromisoformat(line["time"]) for line in log]
        ends = [*starts[1:], None]
        worked = [
            max(
                (time - start for time in times if start <= time and (end is None or time < end)),
                default=NONE,
            )
            for start, end in zip(starts, ends, strict=True)
        ]
        return sum(worked, NONE).total_seconds() if times else None
    except (UserError, ValueError, KeyError, TypeError):
        return None
