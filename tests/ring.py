"""Any method trained on the ring of 8, and what those reach there who know nothing of its modes."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from players import small
from torch import Tensor

from dalikit.components.datasets.mixtures import Ring8
from dalikit.components.metrics.modes import Modes
from dalikit.evaluation.scoring import score
from dalikit.interfaces import Method
from dalikit.training import Trainer

RING = Ring8(sigma=0.02)
"""The ring unless a test says otherwise: a sample is of high quality within 0.06 of a mean."""

TRAINER = {
    "steps": 2000,
    "batch_size": 256,
    "lr": 4e-3,
    "optimizer": {"betas": (0.0, 0.99)},
    "schedule": "linear",
    "ema": 0.99,
}
"""How a method is trained unless its test says otherwise."""

WIDTH, CODES = 64, 2
"""Of the networks' layers, and of z."""

MARGIN = 0.1
"""What a bar lies above chance at the least."""


def check_ring(
    cls: type[Method],
    bar: float,
    data: Ring8 = RING,
    trainer: Mapping[str, Any] | None = None,
    **settings: Any,
) -> None:
    """Under seed 0 a method must reach all 8 modes and more than `bar` of high quality."""
    assert bar >= chance(data) + MARGIN, f"a bar of {bar} says little where chance is {chance(data):.2f}"
    values = on_the_ring(cls, 0, data, trainer, **settings)
    assert values["modes"] == 8, f"{values['modes']} modes of 8"
    assert values["high_quality"] > bar, f"{values['high_quality']:.3f} of high quality, not over {bar}"


def on_the_ring(
    cls: type[Method],
    seed: int,
    data: Ring8 = RING,
    trainer: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Mapping[str, float]:
    """Modes and high quality of a method that `small` makes, trained from `seed`."""
    torch.manual_seed(seed)
    method = trained_method(small(cls, WIDTH, CODES, **settings), seed, data, trainer)
    return score(lambda part: Modes(data), method).values


def trained_method(
    method: Method, seed: int, data: Ring8 = RING, trainer: Mapping[str, Any] | None = None
) -> Method:
    """The method after training by `TRAINER`, with `trainer` laid over it: averaged weights, eval mode."""
    run = Trainer(method, data, (), seed, **{**TRAINER, **(trainer or {})})
    run.fit()
    return run.inference


def chance(data: Ring8) -> float:
    """High quality of the better of two guesses: the Gaussian of the data's moments, and the whole circle."""
    rng = torch.Generator().manual_seed(0)
    x = data.split("test").take(torch.arange(20_000), rng).x
    blob = x.mean(0) + x.std(0) * torch.randn(x.shape, generator=rng)
    angle = 2 * math.pi * torch.rand(len(x), generator=rng)
    circle = torch.stack([angle.cos(), angle.sin()], 1) * data.means.norm(dim=1).mean()
    return max(high_quality(data, blob), high_quality(data, circle))


def high_quality(data: Ring8, x: Tensor) -> float:
    """The share of x (n, 2) that is of high quality."""
    metric = Modes(data)
    metric.update(x)
    return float(metric.compute().values["high_quality"])
