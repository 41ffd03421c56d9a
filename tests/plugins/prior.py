"""A kind of player that dalikit does not know, p(z), with two components, and a method that asks for one."""

from abc import ABC, abstractmethod
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from dalikit.hookspecs import offer
from dalikit.interfaces import Component, Kind, Phase, PhaseLoss, Role
from dalikit.objectives import Adversarial

DALIKIT_API = 2

Scale = Annotated[float, Field(gt=0)]


class Prior(Component, nn.Module, ABC):
    """p(z). Built as `cls(latent_size)`."""

    kind = Kind("prior", supplied=("latent_size",), default="normal", player=True)

    @abstractmethod
    def draw(self, n):
        """z (n, Z)."""


class Normal(Prior):
    """N(centre, scale²), its centre learned."""

    name = "normal"

    def __init__(self, latent_size: int, /, *, scale: Scale = 1.0) -> None:
        super().__init__()
        self.centre = nn.Parameter(torch.zeros(latent_size))
        self.scale = scale

    def draw(self, n):
        return self.centre + self.scale * torch.randn(n, len(self.centre))


class Cube(Prior):
    """Uniform, and nothing to learn."""

    name = "cube"

    def __init__(self, latent_size: int, /) -> None:
        super().__init__()
        self.latent_size = latent_size

    def draw(self, n):
        return 2 * torch.rand(n, self.latent_size) - 1


class DrawnGAN(Adversarial):
    """A GAN whose codes are its prior's."""

    name = "drawn-gan"

    @classmethod
    def roles(cls, **settings):
        return {**super().roles(**settings), "source": Role("prior")}

    def phases(self):
        return *super().phases(), Phase("generator", ("generator", "source"), self.generator_loss)

    def prior(self, n):
        return self.source.draw(n)

    def generator_loss(self, iteration):
        # Codes of its own: D's steps may have freed the graph of the iteration's.
        fake = self.generate(self.prior(len(iteration.real)))
        return PhaseLoss(self.adversarial_loss(iteration, self.critic(iteration)(fake)))


dalikit_components = offer(Normal, Cube, DrawnGAN)
