"""The final scores on the test part, each with its protocol."""

from collections.abc import Mapping, Sequence
from typing import Any

from dalikit.reporting.blocks import Block, Folded, Note, Prose, Table
from dalikit.reporting.section import Section
from dalikit.reporting.sections.overview import figure, is_number
from dalikit.reporting.subject import Subject
from dalikit.studies.render import tell_protocol

Key = tuple[str, str]
"""A metric and a field of it."""


class Scores(Section):
    """One table of all runs: a row for each value, a column or two for each run."""

    key, title = "scores", "Scores"
    lead = (
        "Of the test part, at the end of training: of the last weights, and of those that the validation "
        "part found best where they were kept."
    )

    def together(self, runs: Sequence[Subject]) -> Sequence[Block]:
        """The table, its protocols, and what was left out."""
        columns = [column for run in runs for column in _columns(run, alone=len(runs) == 1)]
        keys = list(dict.fromkeys(key for _, values in columns for key in values))
        missing = [
            Note(f"{run.name} has no final scores: it is {run.state}.") for run in runs if not run.scores
        ]
        if not keys:
            return missing
        rows = [
            [metric, field, *(values.get((metric, field), "-") for _, values in columns)]
            for metric, field in keys
        ]
        headings = ["metric", "value", *(name for name, _ in columns)]
        table = Table(headings, rows, "Final scores on the test part", numbers=2)
        return [table, *missing, *_left_out(runs), Folded("Protocols", [_protocols(runs)])]


def _columns(run: Subject, *, alone: bool) -> list[tuple[str, dict[Key, str]]]:
    """The run's columns with their values: of the last weights, and of the best ones."""
    if run.scores is None:
        return []
    prefix, best = "" if alone else f"{run.name}: ", run.scores.best
    found = [(f"{prefix}last", _values(run.scores.metrics))]
    if best is not None:
        found.append((f"{prefix}best, step {best.step:,}", _values(best.metrics)))
    return found


def _values(metrics: Mapping[str, Mapping[str, Any]]) -> dict[Key, str]:
    return {
        (metric, field): figure(value)
        for metric, values in metrics.items()
        for field, value in values.items()
        if is_number(value)
    }


def _left_out(runs: Sequence[Subject]) -> list[Prose]:
    """Why scores are missing, each reason once."""
    skipped = [each for run in runs if run.scores for each in run.scores.skipped.items()]
    return [Prose(f"{metric} was left out: {reason}.") for metric, reason in dict.fromkeys(skipped)]


def _protocols(runs: Sequence[Subject]) -> Table:
    """A row for each metric with its protocol; where runs differ in that, for each of these."""
    found: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for metric, values in (run.scores.metrics if run.scores else {}).items():
            shared = {} if run.scores is None else {"weights": run.scores.weights}
            told = tell_protocol({**values.get("protocol", {}), **shared})
            found.setdefault((metric, told), []).append(run.name)
    several = len(runs) > 1
    rows = [
        [metric, *([", ".join(names)] if several else []), told] for (metric, told), names in found.items()
    ]
    headings = ["metric", *(["runs"] if several else []), "protocol"]
    return Table(headings, rows, "What each score depends on beside the weights")
