"""A study that was carried out, read from the table that it left in its folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dalikit.errors import UserError
from dalikit.reporting.blocks import Block, Folded, Prose, Table
from dalikit.reporting.section import Section
from dalikit.reporting.subject import Subject
from dalikit.runs.documents import CONFIG
from dalikit.runs.files import read_json
from dalikit.studies.render import tell_protocol

BLANK = "-"


class Column(BaseModel):
    """A column of a study's table, as its document has it."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: str


class Figure(BaseModel):
    """A mean over seeds, and its standard error."""

    model_config = ConfigDict(frozen=True, extra="allow")
    mean: float
    standard_error: float | None = None


class Cell(BaseModel):
    """What a row has in a column; `paper` is a value, or one with its spread."""

    model_config = ConfigDict(frozen=True, extra="allow")
    final: Figure | None = None
    best: Figure | None = None
    paper: float | tuple[float, float] | None = None
    reason: str | None = None


class Row(BaseModel):
    """A system on a data set, and the folders of its runs below the study's."""

    model_config = ConfigDict(frozen=True, extra="allow")
    label: str
    dataset: str
    runs: tuple[str, ...]
    cells: dict[str, Cell]


class Document(BaseModel):
    """What `dalikit reproduce` writes as STUDY.json."""

    model_config = ConfigDict(frozen=True, extra="allow")
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    protocols: dict[str, dict[str, dict[str, Any]]] = {}
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """The tables in a study's folder: several where studies of the same runs share it."""

    folder: Path
    documents: Sequence[Document]

    @classmethod
    def at(cls, folder: Path) -> "Study | None":
        """The study whose folder this is, or None where it is none.

        Raises:
            UserError: none of its runs is finished, so there is nothing to be shown.
        """
        if (folder / CONFIG).exists() or not folder.is_dir():
            return None
        found = [document for path in sorted(folder.glob("*.json")) if (document := _document(path))]
        if not found:
            return None
        study = cls(folder, found)
        if not study.runs:
            raise UserError(f"{folder}: no run of this study is finished, so there is nothing to be shown")
        return study

    @property
    def title(self) -> str:
        """What its documents are titled."""
        return "; ".join(document.title for document in self.documents)

    @property
    def runs(self) -> Sequence[Path]:
        """Of each row its first run: seeds differ in nothing that is to be seen."""
        first = [row.runs[0] for document in self.documents for row in document.rows if row.runs]
        return [self.folder / run for run in dict.fromkeys(first)]

    def section(self) -> Section:
        """Its tables as a section of a page."""
        return StudyTables(self.documents)


def _document(path: Path) -> Document | None:
    """A study's table, or None where a file is something else."""
    try:
        return Document.model_validate(read_json(path, path.parent))
    except (UserError, ValidationError):
        return None


class StudyTables(Section):
    """A study's figures beside the paper's, by data set."""

    key, title = "study", "The study"
    lead: ClassVar[str] = (
        "Mean ± standard error over seeds. Below, each row is shown by its first seed's run."
    )

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents

    def together(self, runs: Sequence[Subject]) -> Sequence[Block]:
        """A table for each data set of each study."""
        return [block for document in self.documents for block in _blocks(document)]


def _blocks(document: Document) -> list[Block]:
    datasets = dict.fromkeys(row.dataset for row in document.rows)
    found: list[Block] = []
    for dataset in datasets:
        found += [Prose(dataset), _table(document, dataset)]
    protocols = [
        [dataset, metric, tell_protocol(protocol)]
        for dataset, metrics in document.protocols.items()
        for metric, protocol in metrics.items()
    ]
    told = Table(["data", "metric", "protocol"], protocols, "Protocols of the study's figures")
    return [*found, Folded("Notes and protocols", [*map(Prose, document.notes), told])]


def _table(document: Document, dataset: str) -> Table:
    rows = [row for row in document.rows if row.dataset == dataset]
    shown = {
        (column.name, kind): [_figure(getattr(row.cells.get(column.name, Cell()), kind)) for row in rows]
        for column in document.columns
        for kind in ("final", "best", "paper")
    }
    kept = {name: cells for name, cells in shown.items() if any(cell != BLANK for cell in cells)}
    headings = [name if kind == "final" else f"{name}, {kind}" for name, kind in kept]
    lines = [[row.label, *(cells[i] for cells in kept.values())] for i, row in enumerate(rows)]
    return Table(["system", *headings], lines, f"{document.title}, on {dataset}", numbers=1)


def _figure(value: Figure | float | tuple[float, float] | None) -> str:
    if value is None:
        return BLANK
    if isinstance(value, Figure):
        mean, spread = value.mean, value.standard_error
    else:
        mean, spread = value if isinstance(value, tuple) else (value, None)
    return f"{mean:.4g}" + ("" if spread is None else f" ± {spread:.2g}")
