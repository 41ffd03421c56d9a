"""A table for people and for programs: cells of text, Markdown, JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dalikit.interfaces import StudyColumn

if TYPE_CHECKING:
    from dalikit.studies.table import Figure, Line, Paper, Table

BLANK = "-"


def grid(table: Table, dataset: str) -> tuple[list[str], list[list[str]]]:
    """Headings and lines of text for one data set: figures, the best and the paper's where there are any."""
    lines = [line for line in table.lines if line.entry.dataset == dataset]
    headings, columns = ["system"], [[line.entry.label for line in lines]]
    for column in table.columns:
        cells = [line.cells[column.name] for line in lines]
        if all(c.final is None and c.paper is None and not c.reason for c in cells):
            continue
        headings.append(column.name)
        columns.append([_show(c.final, column) for c in cells])
        if any(c.best for c in cells):
            headings.append("best")
            columns.append([_show(c.best, column) for c in cells])
        if any(c.paper is not None for c in cells):
            headings.append("paper")
            columns.append([_paper(c.paper, column) for c in cells])
    headings += ["seeds", "steps"]
    columns += [
        [str(len(line.entry.records)) for line in lines],
        [" ".join(map(str, line.steps)) or BLANK for line in lines],
    ]
    if any(line.best_steps for line in lines):
        headings.append("best at")
        columns.append([" ".join(map(str, line.best_steps)) or BLANK for line in lines])
    headings.append("time")
    columns += [[BLANK if line.seconds is None else duration(line.seconds.mean) for line in lines]]
    return headings, [list(row) for row in zip(*columns, strict=True)]


def reasons(table: Table) -> list[str]:
    """A sentence for all cells that are blank, or of fewer seeds than asked for, for one reason."""
    columns: dict[tuple[str, str, str], list[str]] = {}
    for line in table.lines:
        for name, cell in line.cells.items():
            if cell.reason:
                columns.setdefault((line.entry.dataset, cell.reason, line.entry.label), []).append(name)
    systems: dict[tuple[str, str, str], list[str]] = {}
    for (dataset, reason, label), names in columns.items():
        systems.setdefault((dataset, reason, "; ".join(names)), []).append(label)
    return [
        f"{', '.join(labels)} on {dataset}, {names}: {reason}"
        for (dataset, reason, names), labels in systems.items()
    ]


def captions(table: Table) -> list[str]:
    """What is to be read below the table: what its figures are, its notes, and why cells are blank."""
    told = [
        "Figures are mean ± standard error over seeds, on the test part at the end of training; time is a "
        "run's.",
        "Best is the same of the weights that the validation part found best through training, of one step "
        "in all columns (best at, a step for each seed).",
    ]
    return [*told, *table.notes, *reasons(table)]


def markdown(table: Table) -> str:
    """The table as Markdown, a section for each data set."""
    text = [f"# {table.title}", ""]
    for dataset in table.datasets:
        headings, rows = grid(table, dataset)
        text += [f"## {dataset}", "", _md(headings), _md(["---", *["---:"] * (len(headings) - 1)])]
        text += [*(_md(row) for row in rows), ""]
    text += [f"- {sentence}" for sentence in [*captions(table), *protocols(table)]]
    if command := table.told.get("command"):
        text += ["", f"Command: `{command}`"]
    return "\n".join(text) + "\n"


def protocols(table: Table) -> list[str]:
    """All that the figures on each data set depend on, in sentences."""
    return [
        sentence
        for dataset, metrics in table.protocols.items()
        for sentence in tell_protocols(metrics, f" on {dataset}")
    ]


def tell_protocols(metrics: Mapping[str, Mapping[str, Any]], where: str = "") -> list[str]:
    """Metrics' protocols in sentences: what all have in common is said once.

    Examples:
        >>> tell_protocols({"a": {"samples": 9, "seed": 0}, "b": {"seed": 0}})
        ['Protocol of a, b: seed 0', 'Protocol of a, besides: samples 9']
    """
    first, *others = metrics.values() or ({},)
    shared = {key: v for key, v in first.items() if all(key in o and o[key] == v for o in others)}
    if not others or not shared:
        return [f"Protocol of {name}{where}: {tell_protocol(found)}" for name, found in metrics.items()]
    own = {name: {k: v for k, v in found.items() if k not in shared} for name, found in metrics.items()}
    return [
        f"Protocol of {', '.join(metrics)}{where}: {tell_protocol(shared)}",
        *(f"Protocol of {name}{where}, besides: {tell_protocol(rest)}" for name, rest in own.items() if rest),
    ]


def tell_protocol(protocol: Mapping[str, Any]) -> str:
    """A protocol in words.

    Examples:
        >>> tell_protocol({"samples": 2500, "resolution": [1, 28, 28]})
        'samples 2500, resolution 1×28×28'
    """
    return ", ".join(
        f"{key} {'×'.join(map(str, value)) if isinstance(value, list) else value}"
        for key, value in protocol.items()
    )


def document(table: Table, out: Path | None = None) -> dict[str, Any]:
    """The table as JSON holds it, with every seed's figure and every protocol.

    Runs are named by their place below the folder `out` where one is given, so that it can be moved.
    """
    return {
        "title": table.title,
        **table.told,
        "columns": [
            {"name": c.name, "metric": c.metric, "field": c.field, "scale": c.scale, "better": c.better}
            for c in table.columns
        ],
        "protocols": {dataset: dict(found) for dataset, found in table.protocols.items()},
        "rows": [_line_document(line, out) for line in table.lines],
        "notes": captions(table),
    }


def duration(seconds: float) -> str:
    """Seconds as people say them.

    Examples:
        >>> [duration(s) for s in (7.4, 90, 7260)]
        ['7 s', '1.5 min', '2.0 h']
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _relative(folder: Path, out: Path) -> str:
    try:
        return os.path.relpath(folder, out)
    except ValueError:  # on another drive
        return str(folder)


def _line_document(line: Line, out: Path | None) -> dict[str, Any]:
    entry = line.entry
    folders = [record.folder for record in entry.records]
    return {
        "row": entry.name,
        "label": entry.label,
        "dataset": entry.dataset,
        "runs": [str(f) if out is None else _relative(f, out) for f in folders],
        "steps": list(line.steps),
        "best_steps": list(line.best_steps),
        "seconds": _figure_document(line.seconds),
        "failed": dict(entry.faults),
        "cells": {
            name: {
                "final": _figure_document(cell.final),
                "best": _figure_document(cell.best),
                "paper": cell.paper,
                "reason": cell.reason or None,
            }
            for name, cell in line.cells.items()
        },
    }


def _figure_document(figure: Figure | None) -> dict[str, Any] | None:
    if figure is None:
        return None
    return {
        "mean": figure.mean,
        "standard_error": figure.standard_error,
        "seeds": len(figure.values),
        "values": list(figure.values),
    }


def _show(figure: Figure | None, column: StudyColumn) -> str:
    if figure is None:
        return BLANK
    error = figure.standard_error
    digits = column.digits
    return f"{figure.mean:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")


def _paper(figure: Paper | None, column: StudyColumn) -> str:
    if figure is None:
        return BLANK
    value, spread = figure if isinstance(figure, tuple) else (figure, None)
    return f"{value:g}" + ("" if spread is None else f" ± {spread:g}")


def _md(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
