"""Scores for people and for programs."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import dalikit
from dalikit.interfaces import Dataset, Score
from dalikit.runs import RunDirectory
from dalikit.studies.render import told


def scores_document(
    run: RunDirectory,
    step: int,
    dataset: Dataset,
    scores: Sequence[Score],
    skipped: Mapping[str, str],
    seed: int = 0,
) -> dict[str, Any]:
    """The scores as JSON holds them: each metric's values and protocol, and what holds for all of them.

    The data are said to be prepared as `dataset` says now, which may have changed since the training.
    """
    data = run.facts.data.model_copy(update={"preparation": dataset.preparation})
    return {
        "run": str(run.path),
        "step": step,
        "weights": _weights(run),
        "seed": seed,
        "data": data.model_dump(mode="json"),
        "versions": {"dalikit": dalikit.__version__, "torch": torch.__version__},
        "metrics": {s.metric: {**s.values, "protocol": dict(s.protocol)} for s in scores},
        "skipped": dict(skipped),
    }


def _weights(run: RunDirectory) -> str:
    """Whose the scored weights are: an average over training, unless the run keeps none."""
    ema = run.config.trainer["ema"]
    return f"averaged, decay {ema:g}" if ema else "raw"


def warn_of_other_data(run: RunDirectory, dataset: Dataset) -> None:
    """Say on standard error where a run's data are no longer those that it was trained on."""
    trained, now = run.facts.data.preparation, dataset.preparation
    if trained != now:
        print(f"Warning: {run.path} was trained on other data ({trained}) than these: {now}", file=sys.stderr)


def scores_table(scores: Sequence[Score], skipped: Mapping[str, str]) -> None:
    """Print the scores, one value a line, and why metrics were left out."""
    table = Table("metric", "value", "figure", "protocol")
    for score in scores:
        protocol = told(score.protocol)
        for i, (name, value) in enumerate(score.values.items()):
            figure = f"{value}" if isinstance(value, int) else f"{value:.4f}"
            table.add_row("" if i else score.metric, name, figure, "" if i else protocol)
    if scores:
        Console().print(table)
    for name, reason in skipped.items():
        print(f"{name} was left out: {reason}")
