"""Value ranges: bounding a network's output to the data's range, and moving between ranges."""

import torch
from torch import Tensor


def squash(raw: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    """Bound raw outputs (any shape) to `value_range` by a scaled tanh; leave them where it is None.

    Examples:
        >>> squash(torch.tensor([-100.0, 0.0, 100.0]), (0.0, 1.0))
        tensor([0.0000, 0.5000, 1.0000])
    """
    if value_range is None:
        return raw
    low, high = value_range
    bounded = torch.tanh(raw)
    return bounded if (low, high) == (-1.0, 1.0) else (low + high) / 2 + (high - low) / 2 * bounded


def to_unit(x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Map x from `value_range` to [0, 1].

    Examples:
        >>> to_unit(torch.tensor([-1.0, 0.0, 1.0]), (-1.0, 1.0))
        tensor([0.0000, 0.5000, 1.0000])
    """
    low, high = value_range
    return (x - low) / (high - low)


def from_unit(x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Map x from [0, 1] to `value_range`.

    Examples:
        >>> from_unit(torch.tensor([0.0, 1.0]), (-1.0, 1.0))
        tensor([-1.,  1.])
    """
    low, high = value_range
    return low + (high - low) * x
