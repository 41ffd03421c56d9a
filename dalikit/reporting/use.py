"""A run in use: its weights, and data to hold them against."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from dalikit.data.inputs import Inputs, Prepared
from dalikit.evaluation import scoring
from dalikit.inference import Model
from dalikit.interfaces import Dataset, Part
from dalikit.model import load
from dalikit.pictures import drawable
from dalikit.reporting.drawing import Drawing, Images, Points
from dalikit.training_run.run import TrainingRun

SEED = 0
"""Of what is drawn and chosen: reports of runs on the same data show the same data."""


REFERENCE = 2000
"""Data that points are drawn over."""


class Given(NamedTuple):
    """Data x (n, *X), the labels (n,) that the data have, and those that the method is to be told."""

    x: Tensor
    y: Tensor | None
    labels: Tensor | None

    @property
    def ready(self) -> Prepared:
        """x as a model takes it."""
        return Prepared(self.x)

    def some(self, span: slice) -> "Given":
        """Some of them."""
        y, labels = (None if each is None else each[span] for each in (self.y, self.labels))
        return Given(self.x[span], y, labels)


class Use:
    """What a run's sections are drawn by.

    Attributes:
        model: its averaged weights, the last ones.
        step: of these.
    """

    def __init__(self, model: Model, step: int, dataset: Callable[[], Dataset]) -> None:
        self.model = model
        self.step = step
        self._dataset = dataset

    @classmethod
    def load(cls, run: Path, root: Path | None = None) -> "Use":
        """That of the run at a path; raises as `dalikit.load` does."""
        model = load(run, data_root=root)
        return cls(model, model.step, lambda: model.dataset)

    @classmethod
    def of(cls, training: TrainingRun) -> "Use":
        """That of a run which has been trained in this process: nothing is read again."""
        trainer, data = training.trainer, training.run.facts.data
        inputs = Inputs(data.spec, data.fitting, data.standardization, data.float_range)
        return cls(Model(trainer.inference, inputs), trainer.step, lambda: trainer.dataset)

    @cached_property
    def dataset(self) -> Dataset:
        """What it was trained on.

        Raises:
            UserError: it is not there, or not installed.
        """
        return self._dataset()

    @cached_property
    def drawing(self) -> Drawing:
        """How its data are drawn; for points some are read, which raises as `dataset` does."""
        spec = self.model.spec
        if spec.value_range is not None and drawable(spec):
            return Images(spec.value_range)
        return Points(self.data("train", REFERENCE).x)

    @torch.no_grad()
    def data(self, part: Part, count: int) -> Given:
        """`count` data of a part at most, drawn at random, always the same; raises as `dataset` does."""
        split, rng = self.dataset.split(part), torch.Generator().manual_seed(SEED)
        index = torch.randperm(len(split), generator=rng)[:count]
        size, method = scoring.batch_size(self.dataset.spec.x_shape), self.model.method
        found = [scoring.place(split.take(chunk, rng), self.dataset, method) for chunk in index.split(size)]
        x, known = torch.cat([batch.x for batch in found]), [b.y for b in found if b.y is not None]
        y = torch.cat(known) if known else None
        return Given(x, y, y if method.conditional else None)
