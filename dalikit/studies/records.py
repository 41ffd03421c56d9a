"""What a finished run left behind, read for tables: scores, their protocols, the best one, steps, time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dalikit.errors import UserError
from dalikit.interfaces import StudyColumn
from dalikit.studies.launch import seconds_of


@dataclass(frozen=True)
class Record:
    """A finished run.

    Attributes:
        metrics: by name, values and `protocol`, as in scores.json.
        skipped: by metric, why it was left out.
        shared: what holds for all its scores: which weights, and the data's preparation.
        validation: the scores through training, in order, as in metrics.jsonl.
    """

    folder: Path
    step: int
    seconds: float | None
    metrics: Mapping[str, Mapping[str, Any]]
    skipped: Mapping[str, str]
    shared: Mapping[str, Any]
    validation: tuple[Mapping[str, Any], ...]

    def final(self, column: StudyColumn) -> float | None:
        """The column's figure at the end of training, or None."""
        return _number(self.metrics.get(column.metric, {}).get(column.field), column)

    def best(self, column: StudyColumn) -> float | None:
        """The column's best figure among the validation scores, or None where there are none."""
        own = (score for score in self.validation if score.get("metric") == column.metric)
        found = [_number(score.get(column.field), column) for score in own]
        figures = [figure for figure in found if figure is not None]
        if not figures or column.better is None:
            return None
        return max(figures) if column.better == "higher" else min(figures)

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
        UserError: it has no scores, or they are damaged.
    """
    if not (folder / "scores.json").is_file():
        raise UserError(
            f"Run {folder} has no scores.json: it is not finished; `dalikit train --resume {folder}` goes on"
        )
    try:
        scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        shared = {"weights": scores["weights"], "preparation": scores["data"].get("preparation", "")}
        return Record(
            folder,
            int(scores["step"]),
            seconds_of(folder) or _seconds_logged(folder),
            dict(scores["metrics"]),
            dict(scores["skipped"]),
            shared,
            tuple(line for line in _log(folder) if line.get("event") == "score"),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"Run {folder} is damaged: scores.json or metrics.jsonl: {type(error).__name__}: {error}"
        ) from None


def _number(value: Any, column: StudyColumn) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return column.scale * value


def _log(folder: Path) -> list[dict[str, Any]]:
    path = folder / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if line.strip()]


def _seconds_logged(folder: Path) -> float | None:
    """From the run's start to the last line of its log: pauses before a resumption count."""
    log = _log(folder)
    try:
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        begun, ended = (datetime.fromisoformat(text) for text in (facts["started"], log[-1]["time"]))
        return (ended - begun).total_seconds()
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None
