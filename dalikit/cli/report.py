"""Scores for people and for programs."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from dalikit.interfaces import Score


def scores_document(scores: Sequence[Score]) -> dict[str, Any]:
    """The scores as JSON holds them: by metric, its values and its protocol beside them."""
    return {score.metric: {**score.values, "protocol": dict(score.protocol)} for score in scores}


def scores_table(scores: Sequence[Score], skipped: Mapping[str, str]) -> None:
    """Print the scores, one value a line, and why metrics were left out."""
    table = Table("metric", "value", "figure", "protocol")
    for score in scores:
        protocol = ", ".join(f"{key} {_plain(value)}" for key, value in score.protocol.items())
        for i, (name, value) in enumerate(score.values.items()):
            figure = f"{value}" if isinstance(value, int) else f"{value:.4f}"
            table.add_row("" if i else score.metric, name, figure, "" if i else protocol)
    if scores:
        Console().print(table)
    for name, reason in skipped.items():
        print(f"{name} was left out: {reason}")


def _plain(value: Any) -> str:
    return "×".join(map(str, value)) if isinstance(value, list) else str(value)
