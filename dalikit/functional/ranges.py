"""Value ranges: bounding a network's output to the data's range, and moving between ranges."""

import torch
from torch import Tensor

from dalikit.errors import UserError

SLACK = 1e-3
"""How far rounding may carry a value out of its range, as a share of it."""


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


def rescale(x: Tensor, source: tuple[float, float], target: tuple[float, float]) -> Tensor:
    """Map x from one range to another; x itself where they are one.

    Examples:
        >>> rescale(torch.tensor([0.0, 2.0]), (0.0, 2.0), (-1.0, 1.0))
        tensor([-1.,  1.])
    """
    if source == target:
        return x
    (low, high), (least, greatest) = target, source
    return (x.float() - least) * ((high - low) / (greatest - least)) + low


def from_uint8(x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Map x from 0 to 255, uint8, to `value_range`.

    Examples:
        >>> from_uint8(torch.tensor([0, 255], dtype=torch.uint8), (-1.0, 1.0))
        tensor([-1.,  1.])
    """
    low, high = value_range
    return x.float().div_(255 / (high - low)).add_(low)


def to_uint8(x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Map x from `value_range` to the nearest of 0 to 255; the inverse of `from_uint8`.

    Raises:
        UserError: x are no floats, or are NaN, or lie outside the range; nothing is ever rescaled to fit.

    Examples:
        >>> to_uint8(torch.tensor([-1.0, 0.0, 1.0]), (-1.0, 1.0))
        tensor([  0, 128, 255], dtype=torch.uint8)
    """
    low, high = value_range
    if not x.is_floating_point():
        raise UserError(f"Images are {x.dtype}; floats in [{low:g}, {high:g}] are needed")
    if x.numel():
        least, greatest = float(x.min()), float(x.max())
        slack = SLACK * (high - low)
        if not (low - slack <= least and greatest <= high + slack):  # NaN is within no range
            raise UserError(
                f"Images reach from {least:.3g} to {greatest:.3g}, outside [{low:g}, {high:g}]: a wrong "
                "range is never rescaled"
            )
    return to_unit(x.float(), value_range).mul(255).round().clamp(0, 255).to(torch.uint8)
