"""What metrics are fed with, and the loop that feeds them. Everything runs without gradients."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from dalikit.errors import DalikitError, RunError, UnfitError, UserError
from dalikit.interfaces import Batch, Dataset, Method, Metric, Part, Score, Shape, describe
from dalikit.interfaces.stamps import joint_sha256
from dalikit.randomness import RandomState, derived_seed

DATA = "data_sha256"
"""Where a score's protocol says which data there were; scores of before stamps do not."""

BATCH = 500
"""Data in a batch at most."""

BYTES = 1 << 23
"""Of a batch of data at most, as 32-bit floats: layers of a network take many times that."""

Maker = Callable[[Part], Metric]
"""Makes a new metric of one part of its data set."""


def batch_size(x_shape: Shape) -> int:
    """How many data of a shape go through the networks together.

    Examples:
        >>> batch_size((1, 28, 28)), batch_size((3, 256, 256))
        (500, 10)
    """
    return max(1, min(BATCH, BYTES // (4 * math.prod(x_shape))))


def _go_on() -> None:
    """Nobody asks for an end."""


def score(
    make: Maker, method: Method, part: Part = "test", seed: int = 0, check: Callable[[], None] = _go_on
) -> Score:
    """The score of `method`, in eval mode, on one part of the metric's data set.

    The metric's own random numbers come from `seed`, which joins the protocol, and differ from part to part,
    so that what was chosen by validation is not scored on the same draws; the caller's are left alone. The
    SHA-256 of the data set's stamps joins the protocol too. `check` is called between batches, and may raise
    to give it up.

    Raises:
        UnfitError: the metric cannot be computed for this method, or a value of it is NaN or infinite.
        RunError: something in it failed.
    """
    metric: Metric | None = None
    try:
        metric = make(part)
        return _scored(metric, method, part, seed, check)
    except DalikitError:
        raise
    except Exception as error:  # whatever a metric does, the culprit is named
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise RunError(f"{'A metric' if metric is None else describe(metric)} failed: {reason}") from error


def _scored(metric: Metric, method: Method, part: Part, seed: int, check: Callable[[], None]) -> Score:
    if reason := metric.unfit(method):
        raise UnfitError(reason)
    state = RandomState.seeded(derived_seed(seed, part))
    with _eval_mode(method), torch.no_grad(), state.swapped_in():
        for batch in metric.feed(method):
            check()
            metric.update(*batch)
    check()
    found = metric.compute()
    if wrong := [field for field, value in found.values.items() if not math.isfinite(value)]:
        raise UnfitError(f"{describe(metric)} gives {wrong[0]} = {found.values[wrong[0]]}")
    labels = {"labels": "read by the method, as frequent as in training"} if method.conditional else {}
    dataset = getattr(metric, "dataset", None)  # one that was built by hand need not keep it
    data = {} if dataset is None else {DATA: joint_sha256(dataset.stamp)}
    return replace(found, protocol={**found.protocol, **labels, **data, "seed": seed})


def score_all(
    makers: Mapping[str, Maker],
    method: Method,
    part: Part = "test",
    seed: int = 0,
    *,
    forgiving: bool = True,
    check: Callable[[], None] = _go_on,
) -> tuple[list[Score], dict[str, str]]:
    """The scores of a method by all metrics, and by name why others were left out; for `check` see `score`.

    Raises:
        UserError: a metric cannot be computed, and this is not `forgiving`.
        RunError: one failed, likewise.
    """
    scores, skipped = [], {}
    for name, make in makers.items():
        try:
            scores.append(score(make, method, part, seed, check))
        except DalikitError as error:  # weights of another network, too few data: the other scores are kept
            if not forgiving:
                kind = UnfitError if isinstance(error, UserError) else RunError
                raise kind(f"metric '{name}': {error}") from None
            skipped[name] = str(error)
    return scores, skipped


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


def data(dataset: Dataset, part: Part, method: Method, size: int | None = None) -> Iterator[Batch]:
    """The x (b, *X) and y of one part in order, or its first `size`, where and as `method` computes."""
    split = dataset.split(part)
    rng = torch.Generator().manual_seed(0)
    index = torch.arange(len(split) if size is None else min(size, len(split)))
    for chunk in index.split(batch_size(dataset.spec.x_shape)):
        yield place(split.take(chunk, rng), dataset, method)


def place(raw: Batch, dataset: Dataset, method: Method) -> Batch:
    """Raw data as x (b, *X), with their labels, where and as `method` computes."""
    device = device_of(method)
    x = dataset.scale(raw.x.to(device)).to(dtype_of(method))
    return Batch(x, None if raw.y is None else raw.y.to(device))


def samples(method: Method, count: int, labels: Tensor | None = None) -> Iterator[Tensor]:
    """`count` samples of the method in all, in batches (b, *X); under `labels` (count,) where given."""
    size = batch_size(method.spec.x_shape)
    for start in range(0, count, size):
        n = min(size, count - start)
        z = method.prior(n)
        y = method.draw_labels(n) if labels is None else labels[start : start + n]
        yield method.generate(z, y)


def dtype_of(method: Method) -> torch.dtype:
    """The precision of the method's parameters."""
    return next(method.parameters()).dtype


def device_of(method: Method) -> torch.device:
    """Where the method's parameters lie."""
    return next(method.parameters()).device
