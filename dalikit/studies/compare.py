"""A table of any runs: those that differ in their seed alone are one row."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

from dalikit.assembly.origins import settings_of
from dalikit.assembly.registry import Registry
from dalikit.assembly.resolve import GIVEN
from dalikit.errors import UserError
from dalikit.interfaces import Study, StudyColumn
from dalikit.runs import RunDirectory
from dalikit.runs.config import RunConfig
from dalikit.studies import records
from dalikit.studies.naming import Settings, tell_apart
from dalikit.studies.records import Record
from dalikit.studies.table import Cell, Entry, Table, aggregate


def compare_runs(folders: Sequence[Path], registry: Registry) -> Table:
    """The table of finished runs.

    Raises:
        UserError: one is no run or not finished, two of the same settings have the same seed, or two on the
            same data are scored by different protocols.
    """
    groups: dict[str, Group] = {}
    for folder in {path.resolve(): path for path in folders}.values():
        run = RunDirectory.open(folder)
        run.warn_of_edits()
        config = run.config
        key = config.model_copy(update={"seed": 0}).model_dump_json()
        group = groups.setdefault(key, _group(run, config))
        if (other := group.records.get(config.seed)) is not None:
            raise UserError(
                f"{other.folder} and {folder} are of the same settings and both of seed {config.seed}, which "
                "would count twice: leave one of them out"
            )
        group.records[config.seed] = records.read(folder)
    found = list(groups.values())
    entries = [
        Entry(name, name, group.dataset, list(group.records.values()))
        for group, name in zip(found, _names(found), strict=True)
    ]
    everything = [record for entry in entries for record in entry.records]
    return _without_absent(aggregate("comparison of runs", entries, _columns(everything, registry)))


@dataclass
class Group:
    """Runs that differ in their seed alone, by it."""

    label: str
    dataset: str
    settings: Settings = field(default_factory=Settings)
    records: dict[int, Record] = field(default_factory=dict)


def _group(run: RunDirectory, config: RunConfig) -> Group:
    """A group to begin with a run: its recipe names it, where that is not the data set's own."""
    recipe, dataset = config.recipe, str(config.dataset.name)
    label = str(config.method.name if recipe in (None, dataset) else recipe)
    origins = (run.facts.model_extra or {}).get("origins")
    given = [path for path, who in origins.items() if who == GIVEN] if isinstance(origins, dict) else []
    return Group(label, dataset, Settings(dict(settings_of(config)), given))


def _names(groups: Sequence[Group]) -> list[str]:
    """A name for each group: its label, and in what it differs from others on the same data of that label."""
    alike: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        alike.setdefault((group.dataset, group.label), []).append(group)
    names: dict[int, str] = {}
    for own in alike.values():
        places = [_place(group) for group in own]
        told = tell_apart([group.settings for group in own], [apart(place, places) for place in places])
        names |= {id(g): f"{g.label} ({what})" for g, what in zip(own, told, strict=True)}
        if len(own) == 1:
            names[id(own[0])] = own[0].label
    return [names[id(group)] for group in groups]


def _without_absent(table: Table) -> Table:
    """The table without reasons in columns that nothing on the same data was ever asked for."""
    lines = []
    for line in table.lines:
        records = [r for o in table.lines if o.entry.dataset == line.entry.dataset for r in o.entry.records]
        asked = {metric for record in records for metric in (*record.metrics, *record.skipped)}
        foreign = {column.name for column in table.columns if column.metric not in asked}
        cells = {name: Cell(None) if name in foreign else cell for name, cell in line.cells.items()}
        lines.append(replace(line, cells=cells))
    return replace(table, lines=tuple(lines))


def _place(group: Group) -> Path:
    return next(iter(group.records.values())).folder.resolve()


def apart(path: Path, places: Sequence[Path]) -> str:
    """A path without the parts that all `places` begin with, and those that all end with.

    Examples:
        >>> apart(Path("/a/x/seed0"), [Path("/a/x/seed0"), Path("/a/y/z/seed0")])
        'x'
        >>> apart(Path("/a/b"), [Path("/a"), Path("/a/b")])
        'a/b'
    """
    spare = min(len(place.parts) for place in places) - 1  # something is to be left of each
    first = _common([place.parts for place in places], spare)
    last = _common([place.parts[::-1] for place in places], spare - first)
    return "/".join(path.parts[first : len(path.parts) - last])


def _common(places: Sequence[Sequence[str]], most: int) -> int:
    """How many parts all places begin with, and no more than `most`."""
    shared = (len(set(parts)) == 1 for parts in zip(*places, strict=False))
    return min(most, sum(takewhile(bool, shared)))


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
