"""What the data are, and what passes as data."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor

Shape = tuple[int, ...]
Range = tuple[float, float]
Standardization = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and divisor of each column: x = (v - mean) / divisor."""

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class DataSpec:
    """What everybody must know of the data, before any are read.

    Attributes:
        x_shape: the shape X of one datum, (C, H, W) or (2,).
        value_range: the least and greatest value of x, or None where x is unbounded.
        classes: the labels' names, which a label y indexes; None where the data have none.
    """

    x_shape: Shape
    value_range: Range | None = None
    classes: tuple[str, ...] | None = None


class Batch(NamedTuple):
    """Data x (n, *X), and their labels y (n,) int64, indices into `DataSpec.classes`, where they have any."""

    x: Tensor
    y: Tensor | None = None
