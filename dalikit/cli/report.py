"""Scores for people and for programs."""

import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from dalikit.interfaces import Dataset, Score
from dalikit.runs import RunDirectory
from dalikit.studies.render import tell_protocol


def warn_of_other_data(run: RunDirectory, dataset: Dataset) -> None:
    """Say on standard error where a run's data are no longer those that it was trained on."""
    trained, now = run.facts.data.preparation, dataset.preparation
    if trained != now:
        print(f"Warning: {run.path} was trained on other data ({trained}) than these: {now}", file=sys.stderr)


def scores_table(scores: Sequence[Score], skipped: Mapping[str, str]) -> None:
    """Print the scores, one value a line, and why metrics were left out."""
    table = Table("metric", "value", "figure", "protocol")
    for score in scores:
        protocol = tell_protocol(score.protocol)
        for i, (name, value) in enumerate(score.values.items()):
            figure = f"{value}" if isinstance(value, int) else f"{value:.4f}"
            table.add_row("" if i else score.metric, name, figure, "" if i else protocol)
    if scores:
        Console().print(table)
    for name, reason in skipped.items():
        print(f"{name} was left out: {reason}")
