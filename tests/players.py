"""Small players and data that several tests train."""

import torch
from torch import nn

from dalikit.assembly.parameters import validated
from dalikit.components.games.gan import GAN
from dalikit.components.methods.dali import DALI
from dalikit.components.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator
from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.interfaces import AdversarialGame, Dataset, Method, Posterior, Role, TensorSplit
from dalikit.players.composed import (
    CodeDiscriminator,
    EncoderWithTrunk,
    JointDiscriminator,
    PairDiscriminator,
)

Z = 3


class Points(Dataset):
    """Fixed points in the plane."""

    name = "points"
    x_shape = (2,)
    value_range = None
    preparation = "made by the test"

    def __init__(self, count: int = 20, dtype: torch.dtype = torch.float32) -> None:
        self.data = torch.randn(count, 2, generator=torch.Generator().manual_seed(5)).to(dtype)

    def split(self, part):
        return TensorSplit(self.data)


class Players:
    """Multilayer perceptrons of one width on points, one for each role that a method can ask for."""

    def __init__(
        self,
        width: int = 8,
        latent_size: int = Z,
        game: AdversarialGame | None = None,
        family: type[Posterior] = Diagonal,
    ) -> None:
        self.width = width
        self.latent_size = latent_size
        self.game = game or GAN()
        self.family = family(latent_size)

    def player(self, role: Role) -> nn.Module | AdversarialGame:
        """A new network for `role`; the posterior and the game are always the same."""
        return getattr(self, f"_{role.kind}")(role.on)

    def _generator(self, on: str) -> nn.Module:
        return MLPGenerator(self.latent_size, (2,), None, width=self.width)

    def _discriminator(self, on: str) -> nn.Module:
        if on == "z":
            return CodeDiscriminator(self.latent_size, width=self.width)
        trunk = MLPDiscriminator((2,), width=self.width)
        if on == "xz":
            return JointDiscriminator(trunk, (2,), self.latent_size, width=self.width)
        return PairDiscriminator(trunk, width=self.width) if on == "xx" else trunk

    def _encoder(self, on: str) -> nn.Module:
        trunk = MLPDiscriminator((2,), width=self.width) if on == "x" else None
        encoder = MLPEncoder((self.width,), self.family.heads(), width=self.width)
        return EncoderWithTrunk(trunk, encoder) if trunk else encoder

    def _posterior(self, on: str) -> Posterior:
        return self.family

    def _game(self, on: str) -> AdversarialGame:
        return self.game


def small(
    cls: type[Method],
    width: int = 8,
    latent_size: int = Z,
    game: AdversarialGame | None = None,
    family: type[Posterior] = Diagonal,
    **settings,
) -> Method:
    """A method on points, its players made in the order of its roles."""
    players = Players(width, latent_size, game, family)
    roles = cls.roles(**validated(cls, cls.name, settings))
    return cls(*[players.player(role) for role in roles.values()], **settings)


def dali(game=None, seed: int = 1, **settings) -> DALI:
    """DALI on points, with 3-d codes."""
    torch.manual_seed(seed)
    return small(DALI, game=game, **settings)
