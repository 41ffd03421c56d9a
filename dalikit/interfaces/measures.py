"""Measures of a trained method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from dalikit.interfaces.kinds import Component, Kind

if TYPE_CHECKING:
    from dalikit.interfaces.data import Dataset
    from dalikit.interfaces.methods import Method


Headline = tuple[tuple[str, Literal["lower", "higher"]], ...]
"""Fields of a score with which is better, the weightiest first: the next decides where those are equal."""


@dataclass(frozen=True)
class Score:
    """What a metric found: `values` by field, and the `protocol` without which they mean nothing."""

    metric: str
    values: Mapping[str, float | int]
    protocol: Mapping[str, Any]


class Metric(Component, ABC):
    """A measure of a trained method on one part of a data set. Built as `cls(dataset, part, root)`."""

    kind = Kind("metric", supplied=("dataset", "part", "root"))

    dataset: Dataset
    """Whose stamp joins the protocol of its scores; a metric that does not keep it is given it when built."""

    headline: Headline = ()
    """What methods are judged by where one is to be the best; empty where no value alone says.

    A property where the fields depend on the data or on settings.
    """

    @abstractmethod
    def feed(self, method: Method) -> Iterator[tuple[Tensor, ...]]:
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
