"""Scores for people and for programs."""

import sys
from collections.abc import Mapping, Sequence

from dalikit.cli.tables import print_lines, print_table
from dalikit.interfaces import Dataset, Score
from dalikit.runs import RunDirectory
from dalikit.runs.scores import KeptScores
from dalikit.studies.render import tell_protocols


def warn_of_other_data(run: RunDirectory, dataset: Dataset) -> None:
    """Say on standard error where a run's data are no longer those that it was trained on, and in what."""
    if said := run.tell_other_data(dataset):
        print(f"Warning: {said}", file=sys.stderr)


def scores_table(
    scores: Sequence[Score],
    skipped: Mapping[str, str],
    best: KeptScores | None = None,
    *,
    protocols: bool = True,
) -> None:
    """Print the scores, one value a line, beside those of the best weights, and what they depend on.

    Without `protocols` figures alone are printed, and not how they were made or why metrics were left out.
    """
    beside = {} if best is None else {score.metric: score.values for score in best.scores}
    figures = ["figure"] if best is None else ["last", f"best: step {best.by.step}"]
    rows = []
    for score in scores:
        for i, (name, value) in enumerate(score.values.items()):
            found = [value] if best is None else [value, beside.get(score.metric, {}).get(name)]
            rows.append(["" if i else score.metric, name, *map(_figure, found)])
    if rows:
        print_table(["metric", "value", *figures], rows, words=2)
    if not protocols:
        return
    lines = tell_protocols({score.metric: score.protocol for score in scores}) if scores else []
    lines += [f"{name} was left out: {reason}" for name, reason in skipped.items()]
    if best is not None:
        by = ", ".join(f"{field} {_figure(value)}" for field, value in best.by.values.items())
        lines.append(f"Best by {best.by.metric} of the {best.by.part} part ({by}): step {best.by.step}")
    print_lines(lines)


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value}" if isinstance(value, int) else f"{value:.4f}"
