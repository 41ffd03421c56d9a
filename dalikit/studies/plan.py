"""From a study to the runs it is made of: a row on a data set under a seed, each in a folder of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalikit.assembly import resolve
from dalikit.assembly.registry import Registry
from dalikit.errors import UserError, nearest
from dalikit.interfaces import Study, StudyRow
from dalikit.runs import RunDirectory
from dalikit.studies.planned import PlannedRun


@dataclass(frozen=True)
class Plan:
    """All the runs of a study, in the order in which they are started, and what was asked for."""

    study: Study
    budget: str
    datasets: tuple[str, ...]
    rows: tuple[StudyRow, ...]
    seeds: tuple[int, ...]
    out: Path
    runs: tuple[PlannedRun, ...]


def make_plan(
    study: Study,
    registry: Registry,
    out: Path,
    budget: str = "quick",
    rows: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    seeds: Sequence[int] = (0,),
) -> Plan:
    """The runs of `rows` × `datasets` × `seeds`, all rows and data sets by default; nothing is written.

    Raises:
        UserError: the budget, a row or a data set is unknown, or a folder holds a run of other settings.
    """
    by_dataset = study.budgets.get(budget)
    if by_dataset is None:
        raise UserError(_unknown(study, "budget", budget, list(study.budgets)))
    chosen = _chosen_rows(study, rows)
    wanted = study.datasets if datasets is None else datasets
    for name in wanted:
        if name not in study.datasets or name not in by_dataset:
            raise UserError(_unknown(study, "data set", name, list(by_dataset)))
    data = tuple(name for name in study.datasets if name in wanted)
    if not data or not chosen:
        raise UserError(f"Study '{study.name}' is asked for no {'row' if data else 'data set'}: name one")
    runs = tuple(
        _plan_run(row, name, seed, [by_dataset[name], row.settings, _own(row, budget, name)], registry, out)
        for name in data
        for row in chosen
        for seed in seeds
    )
    for run in runs:
        _check_folder(run)
    return Plan(study, budget, data, chosen, tuple(seeds), out, runs)


def _own(row: StudyRow, budget: str, dataset: str) -> Mapping[str, Any]:
    """What a budget means for this row alone."""
    return row.budgets.get(budget, {}).get(dataset, {})


def _plan_run(
    row: StudyRow, dataset: str, seed: int, layers: Sequence[Mapping[str, Any]], registry: Registry, out: Path
) -> PlannedRun:
    folder = out / "runs" / dataset / row.name / f"seed{seed}"
    head = {"recipe": row.recipe, "dataset": {"name": dataset}}
    try:
        config = resolve.resolve_layers([head, *layers, {"seed": seed}], registry)
    except UserError as error:
        return PlannedRun(row, dataset, seed, folder, None, str(error))
    return PlannedRun(row, dataset, seed, folder, config)


def _chosen_rows(study: Study, names: Sequence[str] | None) -> tuple[StudyRow, ...]:
    """The rows of these names or labels, in the study's order."""
    if names is None:
        return study.rows
    known = {word.lower(): row.name for row in study.rows for word in (row.label, row.name)}
    for name in names:
        if name.lower() not in known:
            raise UserError(_unknown(study, "row", name, [row.name for row in study.rows]))
    wanted = {known[name.lower()] for name in names}
    return tuple(row for row in study.rows if row.name in wanted)


def _check_folder(run: PlannedRun) -> None:
    """Refuse a run of other settings in the planned place: its figures would pass for this plan's."""
    if run.config is None or not (run.folder / "config.yaml").is_file():
        return
    wanted, there = run.config, RunDirectory(run.folder).config
    sections = [config.model_dump(mode="json") for config in (wanted, there)]
    if differing := [
        key for key in sections[0] | sections[1] if sections[0].get(key) != sections[1].get(key)
    ]:
        raise UserError(
            f"{run.folder} holds a run of other settings ({', '.join(differing)}): choose another --out, or "
            "remove it"
        )


def _unknown(study: Study, what: str, name: str, known: list[str]) -> str:
    return f"Study '{study.name}' has no {what} '{name}'.{nearest(name, known)} It has: {', '.join(known)}."
