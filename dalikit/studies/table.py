"""A study's table: for each row and data set its figures over seeds, beside the paper's.

Figures of one column are of one protocol: `aggregated` refuses any others.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from dalikit.errors import UserError
from dalikit.evaluation.scoring import DATA
from dalikit.interfaces import StudyColumn

if TYPE_CHECKING:
    from dalikit.studies.records import Record

Paper = float | tuple[float, float]


@dataclass(frozen=True)
class Figure:
    """A mean over seeds with its standard error, which a single seed does not have."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean."""
        return fmean(self.values)

    @property
    def standard_error(self) -> float | None:
        """The sample standard deviation (n - 1) over √n.

        Examples:
            >>> Figure((1.0, 3.0)).standard_error
            1.0
        """
        return stdev(self.values) / math.sqrt(len(self.values)) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Cell:
    """What a row has in a column: of the last weights, of the best, in the paper; or why nothing."""

    final: Figure | None
    best: Figure | None = None
    paper: Paper | None = None
    reason: str = ""


@dataclass(frozen=True)
class Entry:
    """What becomes a line: a system on a data set with the finished runs, and why others failed."""

    name: str
    label: str
    dataset: str
    records: Sequence[Record]
    faults: Mapping[str, str] = field(default_factory=dict)
    paper: Mapping[str, Paper] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """A line of the table; `cells` by the column's name, `best_steps` those of the best weights."""

    entry: Entry
    cells: Mapping[str, Cell]
    seconds: Figure | None
    steps: tuple[int, ...]
    best_steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table, and whatever is to be told with it: the study, the budget, the seeds.

    Attributes:
        protocols: of its figures, by data set and metric.
    """

    title: str
    columns: tuple[StudyColumn, ...]
    lines: tuple[Line, ...]
    protocols: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def datasets(self) -> list[str]:
        """The data sets, each once."""
        return list(dict.fromkeys(line.entry.dataset for line in self.lines))


def aggregate(
    title: str,
    entries: Sequence[Entry],
    columns: tuple[StudyColumn, ...],
    notes: tuple[str, ...] = (),
    told: Mapping[str, Any] | None = None,
) -> Table:
    """The table of `entries`.

    Raises:
        UserError: two figures of one column, on one data set, are of different protocols.
    """
    protocols: dict[str, dict[str, Any]] = {}
    for dataset in dict.fromkeys(entry.dataset for entry in entries):
        records = [r for entry in entries if entry.dataset == dataset for r in entry.records]
        protocols[dataset] = _final_protocols(records, columns)
    lines = tuple(_line(entry, columns) for entry in entries)
    return Table(title, columns, lines, protocols, notes, told or {})


def _line(entry: Entry, columns: Iterable[StudyColumn]) -> Line:
    times = [record.seconds for record in entry.records if record.seconds is not None]
    steps = tuple(dict.fromkeys(record.step for record in entry.records))
    cells = {column.name: _cell(entry, column) for column in columns}
    best_steps = tuple(record.kept.step for record in entry.records if record.kept is not None)
    return Line(entry, cells, _figure(times), steps, best_steps)


def _cell(entry: Entry, column: StudyColumn) -> Cell:
    final = _figure(record.final(column) for record in entry.records)
    best = _figure(record.best(column) for record in entry.records)
    paper = entry.paper.get(column.name)
    reasons = [record.reason(column) for record in entry.records if record.final(column) is None]
    reasons += entry.faults.values()
    return Cell(final, best, paper, "; ".join(dict.fromkeys(reasons)))


def _figure(values: Iterable[float | None]) -> Figure | None:
    known = tuple(value for value in values if value is not None)
    return Figure(known) if known else None


def _final_protocols(records: Sequence[Record], columns: Iterable[StudyColumn]) -> dict[str, Any]:
    """By metric, the protocol of the figures, of the last weights and of the best."""
    found: dict[str, Any] = {}
    for metric in dict.fromkeys(column.metric for column in columns):
        own = [(r.folder, r.protocol(metric)) for r in records if metric in r.metrics]
        found |= {metric: _one_protocol(metric, own)} if own else {}
    return found


def _one_protocol(what: str, protocols: Sequence[tuple[Path, dict[str, Any]]]) -> dict[str, Any]:
    """The protocol that all figures share, each given with its run's folder.

    Scores of before stamps do not say which data there were. Beside such, nobody knows whether the others had
    the same, and so it is not said.
    """
    (where, first), *others = sorted(protocols, key=lambda found: DATA not in found[1])
    unknown: set[str] = set()
    for folder, protocol in others:
        unknown |= {DATA} - {*protocol}
        for key in (key for key in {**first, **protocol} if key not in unknown):
            if _plain(first.get(key)) != _plain(protocol.get(key)):
                raise UserError(
                    f"{what} of {where} and of {folder} cannot be compared: {key} is "
                    f"{_plain(first.get(key))} there and {_plain(protocol.get(key))} here; score both alike"
                )
    return {key: value for key, value in first.items() if key not in unknown}


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
