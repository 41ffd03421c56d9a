"""A table of any runs: those that differ in their seed alone are one row."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dalikit.interfaces import Study, StudyColumn
from dalikit.registry import Registry
from dalikit.runs import RunDirectory
from dalikit.studies import records
from dalikit.studies.records import Record
from dalikit.studies.table import Entry, Table, aggregated


def compared(folders: Sequence[Path], registry: Registry) -> Table:
    """The table of finished runs.

    Raises:
        UserError: one is no run or not finished, or two on the same data are scored by different protocols.
    """
    groups: dict[str, tuple[str, str, list[Record]]] = {}
    for folder in dict.fromkeys(path.resolve() for path in folders):
        config = RunDirectory.open(folder).config
        key = config.model_copy(update={"seed": 0}).model_dump_json()
        label = str(config.recipe or config.method.name)
        group = groups.setdefault(key, (label, str(config.dataset.name), []))
        group[2].append(records.read(folder))
    labels = [label for label, _, _ in groups.values()]
    entries = []
    for label, dataset, found in groups.values():
        name = label if labels.count(label) == 1 else f"{label} ({_place(found[0])})"
        entries.append(Entry(name, name, dataset, found))
    everything = [record for _, _, found in groups.values() for record in found]
    return aggregated("comparison of runs", entries, _columns(everything, registry))


def _place(record: Record) -> str:
    """The last two parts of a run's path, which tell it from others."""
    return "/".join(record.folder.parts[-2:])


def _columns(found: Sequence[Record], registry: Registry) -> tuple[StudyColumn, ...]:
    """A column for each metric's field: as a study shows it, where one does, and else as it is stored."""
    studies: list[Study] = registry.all("study")
    known = {(c.metric, c.field): c for study in studies for c in study.columns}
    shown: dict[tuple[str, str], StudyColumn] = {}
    for record in found:
        for metric, values in record.metrics.items():
            fields = [f for f, value in values.items() if isinstance(value, int | float)]
            own = [f for f in fields if (metric, f) in known] or fields
            for name in own:
                plain = StudyColumn(name, metric, name, digits=4, better=None)
                shown.setdefault((metric, name), known.get((metric, name), plain))
    return tuple(_distinct(list(shown.values())))


def _distinct(columns: list[StudyColumn]) -> list[StudyColumn]:
    """The columns, those of one name told apart by their metric."""
    names = [column.name for column in columns]
    return [c if names.count(c.name) == 1 else replace(c, name=f"{c.metric}: {c.name}") for c in columns]
