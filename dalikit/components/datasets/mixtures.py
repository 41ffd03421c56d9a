"""Mixtures of 2-D Gaussians whose modes can be counted; every sample is drawn afresh.

Source: Srivastava et al. 2017, "VEEGAN", section 4.1 (the grid of 25, the ring of 8).
"""

import math
from abc import ABC
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from dalikit.hookspecs import offer
from dalikit.interfaces import Batch, Dataset, DataSpec, Part, Split, Stamp

DALIKIT_API = 2

Sigma = Annotated[float, Field(gt=0)]


class MixtureSplit(Split):
    """An endless source of samples of equally likely Gaussians; `size` of them count as one epoch."""

    def __init__(self, means: Tensor, sigma: float, size: int) -> None:
        self.means = means
        self.sigma = sigma
        self.size = size

    def __len__(self) -> int:
        return self.size

    def take(self, index: Tensor, rng: torch.Generator) -> Batch:
        """As many fresh samples (n, 2) as there are indices, and their modes."""
        modes = torch.randint(len(self.means), (len(index),), generator=rng)
        x = self.means[modes] + self.sigma * torch.randn(len(index), 2, generator=rng)
        return Batch(x, modes)

    def class_counts(self, classes: int) -> Tensor:
        """All modes are equally frequent."""
        return torch.ones(classes, dtype=torch.int64)

    def stamp(self) -> Stamp:
        """Of means, in millionths, for machines round sines each in its way, and standard deviation."""
        means = (self.means * 1e6).round().long().tolist()
        return Stamp.of_source(self.size, f"Gaussians at {means}, standard deviation {self.sigma}")


class Mixture(Dataset, ABC):
    """A mixture of Gaussians with `means` (M, 2) and one standard deviation `sigma`, unbounded.

    A datum's label is its mode.
    """

    latent_size = 2
    backbone = "mlp"
    metrics = ("modes",)
    train_count = 100_000

    def __init__(self, means: Tensor, sigma: float) -> None:
        self.means = means
        self.sigma = sigma
        self.spec = DataSpec((2,), classes=tuple(f"mode {i}" for i in range(len(means))))

    def split(self, part: Part) -> MixtureSplit:
        """Fresh samples in every part; an epoch of training is 100,000, validation and test 2,500."""
        return MixtureSplit(self.means, self.sigma, 100_000 if part == "train" else 2_500)


class Grid25(Mixture):
    """25 modes at {-4, -2, 0, 2, 4}², standard deviation `sigma`."""

    name = "grid25"

    def __init__(self, *, sigma: Sigma = 0.05) -> None:
        axis = torch.arange(-4.0, 5.0, 2.0)
        super().__init__(torch.cartesian_prod(axis, axis), sigma)
        self.preparation = f"fresh samples of 25 Gaussians at {{-4,-2,0,2,4}}², standard deviation {sigma}"


class Ring8(Mixture):
    """8 modes at equal steps of 45° on a circle of `radius`, standard deviation `sigma`."""

    name = "ring8"

    def __init__(self, *, sigma: Sigma = 0.01, radius: Sigma = 1.0) -> None:
        angle = torch.arange(8) * (2 * math.pi / 8)
        super().__init__(radius * torch.stack([angle.cos(), angle.sin()], 1), sigma)
        self.preparation = f"fresh samples of 8 Gaussians on a circle of {radius}, standard deviation {sigma}"


dalikit_components = offer(Grid25, Ring8)
