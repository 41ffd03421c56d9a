"""What metrics are fed with, and the loop that feeds them. Everything runs without gradients."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from dalikit.errors import UnfitError
from dalikit.interfaces import Dataset, Method, Metric, Part, Score, Shape
from dalikit.randomness import RandomState, derived_seed

BATCH = 500
"""Data in a batch at most."""

BYTES = 1 << 23
"""Of a batch of data at most, as 32-bit floats: layers of a network take many times that."""


def batch_size(x_shape: Shape) -> int:
    """How many data of a shape go through the networks together.

    Examples:
        >>> batch_size((1, 28, 28)), batch_size((3, 256, 256))
        (500, 10)
    """
    return max(1, min(BATCH, BYTES // (4 * math.prod(x_shape))))


def score(metric: Metric, method: Method, part: Part = "test", seed: int = 0) -> Score:
    """The score of `method`, in eval mode, on one part of the metric's data set.

    The metric's own random numbers come from `seed`, which joins the protocol, and differ from part to part,
    so that what was chosen by validation is not scored on the same draws; the caller's are left alone.

    Raises:
        UnfitError: the metric cannot be computed for this method, or a value of it is NaN or infinite.
    """
    if reason := metric.unfit(method):
        raise UnfitError(f"metric '{metric.name}': {reason}")
    state = RandomState.seeded(derived_seed(seed, part))
    with _eval_mode(method), torch.no_grad(), state.swapped_in():
        for batch in metric.feed(method, part):
            metric.update(*batch)
    found = metric.compute()
    if wrong := [field for field, value in found.values.items() if not math.isfinite(value)]:
        raise UnfitError(f"metric '{metric.name}': {wrong[0]} is {found.values[wrong[0]]}")
    return replace(found, protocol={**found.protocol, "seed": seed})


@contextmanager
def _eval_mode(method: Method) -> Iterator[None]:
    """Eval mode inside the block; afterwards each module is in its own mode again, for they may differ."""
    modes = {module: module.training for module in method.modules()}
    method.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def data(dataset: Dataset, part: Part, method: Method, size: int | None = None) -> Iterator[Tensor]:
    """The x (b, *X) of one part in order, or its first `size`, in batches, where and as `method` computes."""
    split = dataset.split(part)
    rng = torch.Generator().manual_seed(0)
    index = torch.arange(len(split) if size is None else min(size, len(split)))
    for chunk in index.split(batch_size(dataset.x_shape)):
        yield dataset.scale(split.take(chunk, rng).to(device_of(method))).to(dtype_of(method))


def samples(method: Method, count: int, x_shape: Shape) -> Iterator[Tensor]:
    """`count` samples of the method in all, in batches (b, *X)."""
    size = batch_size(x_shape)
    for start in range(0, count, size):
        yield method.generate(method.prior(min(size, count - start)))


def dtype_of(method: Method) -> torch.dtype:
    """The precision of the method's parameters."""
    return next(method.parameters()).dtype


def device_of(method: Method) -> torch.device:
    """Where the method's parameters lie."""
    return next(method.parameters()).device
