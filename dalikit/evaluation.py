"""What metrics are fed with, and the loop that feeds them. Everything runs without gradients."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from dalikit.errors import UnfitError
from dalikit.interfaces import Dataset, Method, Metric, Part, Score
from dalikit.randomness import RandomState

BATCH = 500


def score(metric: Metric, method: Method, part: Part = "test", seed: int = 0) -> Score:
    """The score of `method`, in eval mode, on one part of the metric's data set.

    The metric's own random numbers come from `seed`; the caller's are left alone.

    Raises:
        UnfitError: the metric cannot be computed for this method.
    """
    if reason := metric.unfit(method):
        raise UnfitError(f"metric '{metric.name}': {reason}")
    with _eval_mode(method), torch.no_grad(), RandomState.seeded(seed).swapped_in():
        for batch in metric.feed(method, part):
            metric.update(*batch)
    return metric.compute()


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
    for chunk in index.split(BATCH):
        yield dataset.scale(split.take(chunk, rng).to(device_of(method))).to(dtype_of(method))


def samples(method: Method, count: int) -> Iterator[Tensor]:
    """`count` samples of the method in all, in batches (b, *X)."""
    for start in range(0, count, BATCH):
        yield method.generate(method.prior(min(BATCH, count - start)))


def dtype_of(method: Method) -> torch.dtype:
    """The precision of the method's parameters."""
    return next(method.parameters()).dtype


def device_of(method: Method) -> torch.device:
    """Where the method's parameters lie."""
    return next(method.parameters()).device
