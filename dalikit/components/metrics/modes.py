"""Modes captured and share of high-quality samples, on a mixture whose modes are known.

A sample is of high quality if it lies within three standard deviations of the nearest mean; a mode is
captured if it is the nearest one of at least one such sample. 1 - e^-4.5 = 98.9 % of true samples are.

Source: Srivastava et al. 2017, "VEEGAN", section 4.1; DALI, section 4.3 and table 2.
"""

from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from dalikit.errors import UnfitError
from dalikit.evaluation import scoring
from dalikit.hookspecs import offer
from dalikit.interfaces import Dataset, Method, Metric, Score

DALIKIT_API = 2


class Modes(Metric):
    """Modes captured (a count) and high quality (0 to 1) of `count` samples.

    Raises:
        UnfitError: the data set has no `means` and `sigma`.
    """

    name = "modes"
    headline = (("modes", "higher"), ("high_quality", "higher"))

    def __init__(
        self, dataset: Dataset, /, *, count: Annotated[int, Field(ge=1, le=1_000_000)] = 2500
    ) -> None:
        means, sigma = getattr(dataset, "means", None), getattr(dataset, "sigma", None)
        if not isinstance(means, Tensor) or not isinstance(sigma, float):
            raise UnfitError(f"metric 'modes' counts on a mixture; data set '{dataset.name}' has no modes")
        self.dataset = dataset
        self.means, self.sigma = means, sigma
        self.count = count
        self.near: list[Tensor] = []
        self.seen = 0

    def feed(self, method: Method) -> Iterator[tuple[Tensor, ...]]:
        """Batches of samples (b, 2)."""
        return ((x,) for x in scoring.samples(method, self.count))

    def update(self, *batch: Tensor) -> None:
        """Take in samples (b, 2)."""
        (x,) = batch
        distance, mode = torch.cdist(x, self.means.to(x)).min(1)
        self.near.append(mode[distance <= 3 * self.sigma].cpu())
        self.seen += len(x)

    def compute(self) -> Score:
        """The count over all samples so far."""
        near = torch.cat(self.near)
        values = {"modes": len(near.unique()), "high_quality": len(near) / self.seen}
        protocol = {
            "dataset": self.dataset.name,
            "samples": self.seen,
            "of_modes": len(self.means),
            "sigma": self.sigma,
            "high_quality": "within 3 standard deviations of the nearest mean",
        }
        return Score(self.name, values, protocol)


dalikit_components = offer(Modes)
