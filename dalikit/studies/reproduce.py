"""A whole study: its runs, then its table as JSON, Markdown and PNG. And the same table for any runs."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dalikit import pictures
from dalikit.assembly.registry import Registry
from dalikit.errors import RunError, UserError
from dalikit.files import write_text
from dalikit.interfaces import Study
from dalikit.studies import draw, launch, records, render
from dalikit.studies.launch import Tell
from dalikit.studies.plan import Plan
from dalikit.studies.planned import PlannedRun
from dalikit.studies.records import Record
from dalikit.studies.table import Entry, Table, aggregate


def reproduce(plan: Plan, registry: Registry, jobs: int, tell: Tell) -> Table:
    """Do what is left of the plan's runs, and write its table into `plan.out`.

    Raises:
        Interrupted: a signal; the same plan goes on from there.
        UserError: the runs' figures are of different protocols.
        RunError: a file cannot be written.
    """
    faults = launch.carry_out(plan.runs, plan.out / "logs", jobs, tell)
    table = tabulate(plan, faults)
    write(table, plan.out, plan.study.name, picture_of(table, plan.study, registry))
    return table


def tabulate(plan: Plan, faults: Mapping[str, str]) -> Table:
    """The table of the plan's finished runs; `faults` says by run's name why others are not."""
    entries = []
    for dataset in plan.datasets:
        for row in plan.rows:
            own = [run for run in plan.runs if (run.dataset, run.row.name) == (dataset, row.name)]
            done, failed = _read(own, faults)
            entries.append(Entry(row.name, row.label, dataset, done, failed, row.paper.get(dataset, {})))
    study = plan.study
    told = {
        "study": study.name,
        "stands_for": study.stands_for,
        "budget": plan.budget,
        "seeds": list(plan.seeds),
        "command": _command(plan),
    }
    title = f"{study.name}: {study.description}; {plan.budget} budget"
    return aggregate(title, entries, study.columns, study.notes, told)


def _read(runs: Sequence[PlannedRun], faults: Mapping[str, str]) -> tuple[list[Record], dict[str, str]]:
    """What the finished runs left; and by seed, why there is nothing of others."""
    done: list[Record] = []
    failed: dict[str, str] = {}
    for run in runs:
        try:  # also what failed here: another process may have finished it
            done.append(records.read(run.folder))
        except UserError as error:  # its log is damaged, say
            failed[str(run.seed)] = faults.get(run.name, str(error))
    return done, failed


def write(table: Table, out: Path, name: str, picture: Any = None) -> None:
    """Write `name`.json, .md and .png, so that two studies of the same runs may share a folder.

    The picture is of the table unless another is given. Each is written whole or not at all.

    Raises:
        RunError: one of them cannot be written.
    """
    texts = {
        "json": json.dumps(render.document(table, out), indent=2, ensure_ascii=False) + "\n",
        "md": render.markdown(table),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for ending, text in texts.items():
            write_text(out / f"{name}.{ending}", text)
        pictures.save(picture or draw.table_picture(table), out / f"{name}.png")
    except OSError as error:
        raise RunError(f"Cannot write {out}: {error.strerror}") from None


def picture_of(table: Table, study: Study, registry: Registry) -> Any:
    """The study's pictures as one, or None where it is a table alone."""
    if not study.pictures:
        return None
    from dalikit.studies.montages import study_picture

    return study_picture(table, study.pictures, registry)


def _command(plan: Plan) -> str:
    """The command line that makes this table."""
    words: Sequence[str] = [
        *("dalikit", "reproduce", plan.study.name, "--budget", plan.budget),
        *([] if plan.rows == plan.study.rows else ["--rows", ",".join(row.name for row in plan.rows)]),
        *([] if plan.datasets == plan.study.datasets else ["--dataset", ",".join(plan.datasets)]),
        *("--seeds", _seeds(plan.seeds)),
    ]
    return shlex.join(words)


def _seeds(seeds: Sequence[int]) -> str:
    first = list(seeds) == list(range(len(seeds)))
    return str(len(seeds)) if first else ",".join(map(str, seeds)) + ("," if len(seeds) == 1 else "")
