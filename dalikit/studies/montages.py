"""The pictures of a study: samples and reconstructions of each row's first finished run, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from PIL import Image

from dalikit import pictures
from dalikit.assembly.registry import Registry
from dalikit.errors import UserError
from dalikit.model import RunModel, load
from dalikit.studies.draw import montage

if TYPE_CHECKING:
    from dalikit.studies.table import Line, Table

IMAGES = 36
"""In a grid of images; half as many are shown beside their reconstructions."""

WIDE = 5
"""Pictures in a row."""


def study_picture(table: Table, wanted: Sequence[str], registry: Registry) -> Image.Image:
    """Each line's pictures of the `wanted` kinds, each data set's in rows of their own."""
    rows = []
    for dataset in table.datasets:
        lines = [line for line in table.lines if line.entry.dataset == dataset]
        cells = [
            _label_picture(f"{line.entry.label}, {dataset}", line, kind, registry)
            for line in lines
            for kind in wanted
        ]
        rows += [cells[start : start + WIDE] for start in range(0, len(cells), WIDE)]
    return montage(rows, f"{table.title}. Framed, or grey points: test data")


def _label_picture(label: str, line: Line, kind: str, registry: Registry) -> tuple[str, Image.Image | None]:
    """A picture of the line's first run under its label, or why there is none."""
    if not line.entry.records:
        return f"{label}: no finished run", None
    try:
        model = load(line.entry.records[0].folder, registry=registry)
        picture = samples(model) if kind == "samples" else reconstructions(model)
    except UserError as error:  # the data are not there, or the method has no encoder
        return f"{label}: {error}", None
    return f"{label}: {kind}", picture


def samples(model: RunModel) -> Image.Image:
    """What the model makes of codes drawn under seed 0."""
    pictures.check_drawable(model.spec)
    size = pictures.count(model.spec, IMAGES)
    reference = model.data("test", size) if model.spec.value_range is None else torch.empty(0)
    return pictures.draw(model.sample(size, seed=0).cpu(), model.spec, reference.cpu())


def reconstructions(model: RunModel) -> Image.Image:
    """The first test data and what the model makes of their codes, in turn, as in the paper's figure 1."""
    pictures.check_drawable(model.spec)
    x, y = model.batch("test", pictures.count(model.spec, IMAGES // 2))
    again = model.reconstruct(x, y if model.method.conditional else None)
    return pictures.draw_pairs(x.cpu(), again.cpu(), model.spec, columns=6)
