"""Small players and data that several tests train."""

import torch

from dalikit.components.games.gan import GAN
from dalikit.components.methods.dali import DALI
from dalikit.components.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator
from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.interfaces import Dataset, TensorSplit


class Points(Dataset):
    """Fixed points in the plane."""

    name = "points"
    x_shape = (2,)
    value_range = None
    preparation = "made by the test"

    def __init__(self, count: int = 20) -> None:
        self.data = torch.randn(count, 2, generator=torch.Generator().manual_seed(5))

    def split(self, part):
        return TensorSplit(self.data)


def dali(game=None, seed: int = 1, **settings) -> DALI:
    """DALI on points, with 3-d codes."""
    torch.manual_seed(seed)
    generator, discriminator = MLPGenerator(3, (2,), None, width=8), MLPDiscriminator((2,), width=8)
    encoder = MLPEncoder((8,), (3, 3), width=8)
    return DALI(generator, discriminator, encoder, Diagonal(3), game or GAN(), **settings)
