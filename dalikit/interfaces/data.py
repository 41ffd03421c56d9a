"""Data sets, and measures on them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from dalikit.errors import UnfitError
from dalikit.interfaces.methods import Method
from dalikit.interfaces.players import Range, Shape

Part = Literal["train", "validation", "test"]


class Split(ABC):
    """One part of a data set, as raw data that `Dataset.scale` turns into x on the device."""

    @abstractmethod
    def __len__(self) -> int:
        """How many data there are; for an endless source, how many count as one epoch."""

    @abstractmethod
    def take(self, index: Tensor, rng: torch.Generator) -> Tensor:
        """Raw data (n, *X) at `index` (n,) int64. What is random in them is drawn from `rng` alone."""

    def labels(self, index: Tensor) -> Tensor | None:
        """Labels (n,) int64 of the data at `index`, or None where there are none."""
        return None


class TensorSplit(Split):
    """Data that lie in one tensor (N, *X), as they are, with labels (N,) int64 where they have any."""

    def __init__(self, data: Tensor, labels: Tensor | None = None) -> None:
        self.data = data
        self._labels = labels

    def __len__(self) -> int:
        return len(self.data)

    def take(self, index: Tensor, rng: torch.Generator) -> Tensor:
        """Rows `index` (n,) of the tensor."""
        return self.data[index]

    def labels(self, index: Tensor) -> Tensor | None:
        """Labels (n,) at `index`."""
        return None if self._labels is None else self._labels[index]


class Dataset(ABC):
    """A data set. Its shape is known before any data are read; `split` reads them."""

    name: ClassVar[str]
    x_shape: Shape
    value_range: Range | None
    """The least and greatest value of x, or None where x is unbounded."""

    preparation: str
    """One sentence: where the data come from, how they are split and scaled. Stored beside scores."""

    latent_size: int = 64
    """Z unless the user sets one."""

    backbone: str = "dcgan"
    """The network family unless the user names one."""

    metrics: tuple[str, ...] = ("reconstruction",)
    """The names of the metrics that `dalikit evaluate` computes unless told otherwise."""

    @abstractmethod
    def split(self, part: Part) -> Split:
        """The training, validation or test part."""

    def scale(self, raw: Tensor) -> Tensor:
        """Turn raw data (B, *X) into x: uint8 0 to 255 into the value range, floats as they are.

        Raises:
            UnfitError: the data are uint8 and the value range is None.
        """
        if raw.dtype != torch.uint8:
            return raw
        if self.value_range is None:
            raise UnfitError(f"Data set '{self.name}' has uint8 data but no value_range to scale them to")
        low, high = self.value_range
        return raw.float().div_(255 / (high - low)).add_(low)


@dataclass(frozen=True)
class Score:
    """What a metric found: `values` by field, and the `protocol` without which they mean nothing."""

    metric: str
    values: Mapping[str, float | int]
    protocol: Mapping[str, Any]


class Metric(ABC):
    """A measure of a trained method on a data set. Built as `cls(dataset)`."""

    name: ClassVar[str]

    @abstractmethod
    def feed(self, method: Method, part: Part) -> Iterator[tuple[Tensor, ...]]:
        """Batches of whatever it measures (samples, data and reconstructions, codes)."""

    @abstractmethod
    def update(self, *batch: Tensor) -> None:
        """Take in one of those batches."""

    @abstractmethod
    def compute(self) -> Score:
        """The score over all batches so far."""

    def unfit(self, method: Method) -> str | None:
        """Why it cannot be computed for `method`, or None where it can."""
        return None
