"""Fréchet distance of samples from data on x itself, which needs no features and serves every data set.

Source: Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", equation 6, with x in the
place of Inception's features.
"""

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import avg_pool2d

from dalikit.errors import UnfitError
from dalikit.evaluation import scoring
from dalikit.functional.gaussian import frechet_distance
from dalikit.functional.ranges import to_unit
from dalikit.hookspecs import offer
from dalikit.interfaces import Dataset, Method, Metric, Part, Score, Shape

DALIKIT_API = 2

VALUES = 3 * 16 * 16
"""Of a datum that are measured, at most."""


class PixelFrechet(Metric):
    """The squared distance between Gaussians fitted to data and to as many samples: `distance`, 0 or more.

    Bounded data are measured on [0, 1], unbounded ones as they are. Images are averaged over k×k pixels, with
    the least k that leaves no more than 768 values, and half as many values as data: where there are fewer
    data, covariances would be mostly noise. Other data of more values are projected on random directions,
    always the same.

    Args:
        count: data at most, chosen at random but always the same.
    """

    name = "pixel-frechet"
    headline = (("distance", "lower"),)

    def __init__(
        self,
        dataset: Dataset,
        part: Part = "test",
        /,
        *,
        count: Annotated[int, Field(ge=2, le=1_000_000)] = 5000,
    ) -> None:
        self.dataset = dataset
        self.part = part
        self.count = count
        self.data: list[Tensor] = []
        self.samples: list[Tensor] = []

    def feed(self, method: Method) -> Iterator[tuple[Tensor, ...]]:
        """Batches of data and of samples, both (b, *X)."""
        split, rng = self.dataset.split(self.part), torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(split), generator=rng)[: self.count].sort().values
        for index in chosen.split(scoring.batch_size(self.dataset.spec.x_shape)):
            x = scoring.place(split.take(index, rng), self.dataset, method).x
            yield x, next(scoring.samples(method, len(x)))

    def update(self, *batch: Tensor) -> None:
        """Take in data and samples (b, *X)."""
        bounds = self.dataset.spec.value_range
        for kept, x in zip((self.data, self.samples), batch, strict=True):
            kept.append(self._reduction[1](x if bounds is None else to_unit(x, bounds)).cpu())

    def compute(self) -> Score:
        """The distance of all samples so far.

        Raises:
            UnfitError: there is one datum alone, or a value is NaN or infinite.
        """
        both = [torch.cat(kept).double() for kept in (self.data, self.samples)]
        if min(map(len, both)) < 2:
            raise UnfitError("one datum has no spread to be compared")
        if not all(x.isfinite().all() for x in both):
            raise UnfitError("the method's samples are NaN or infinite")
        moments = [moment for x in both for moment in (x.mean(0), x.T.cov().view(x.shape[1], -1))]
        protocol = {
            "dataset": self.dataset.name,
            "part": self.part,
            "count": len(both[0]),
            "samples": len(both[1]),
            "resolution": list(self.dataset.spec.x_shape),
            "scale": "the data's own" if self.dataset.spec.value_range is None else "[0, 1]",
            "dimension": both[0].shape[1],
            "reduction": self._reduction[0],
        }
        return Score(self.name, {"distance": float(frechet_distance(*moments))}, protocol)

    @cached_property
    def _reduction(self) -> tuple[str, Callable[[Tensor], Tensor]]:
        """How data (b, *X) become (b, D): in words, and as a function."""
        shape = self.dataset.spec.x_shape
        count = min(self.count, len(self.dataset.split(self.part)))
        most = max(1, min(VALUES, count // 2))
        if math.prod(shape) <= most:
            return "none", lambda x: x.flatten(1)
        if len(shape) == 3:
            k = _window(shape, most)
            return f"means of {k}×{k} pixels", lambda x: avg_pool2d(x, k, ceil_mode=True).flatten(1)
        seeded = torch.Generator().manual_seed(0)
        directions = torch.randn(math.prod(shape), most, generator=seeded) / math.sqrt(most)
        return f"{most} random directions, seed 0", lambda x: x.flatten(1) @ directions.to(x)


def _window(shape: Shape, most: int) -> int:
    """The least k for which means over k×k pixels leave at most `most` values; the longer side at last."""
    channels, *sides = shape
    sizes = range(1, max(sides))
    fits = (k for k in sizes if channels * math.prod(math.ceil(side / k) for side in sides) <= most)
    return next(fits, max(sides))


dalikit_components = offer(PixelFrechet)
