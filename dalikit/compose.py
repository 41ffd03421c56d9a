"""Players made of other players, so that every method runs on every backbone."""

import math

import torch
from torch import Tensor, nn

from dalikit.interfaces import Discriminator, Encoder


class EncoderWithTrunk(Encoder):
    """An encoder that reads data x: on the features of a discriminator of its own, trained with it."""

    def __init__(self, trunk: Discriminator, encoder: Encoder, /) -> None:
        super().__init__()
        self.trunk = trunk
        self.encoder = encoder

    def forward(self, h: Tensor) -> tuple[Tensor, ...]:
        """Map x (B, *X) to the posterior's raw parameters."""
        return self.encoder(self.trunk.features(h))


class JointDiscriminator(nn.Module):
    """D(x, z): a discriminator's features of x, joined with z, and two dense layers on both.

    Source: the layout of ALI's discriminator (Dumoulin et al. 2016, section 2.4), on any trunk.
    """

    def __init__(self, trunk: Discriminator, latent_size: int, /, *, width: int = 256) -> None:
        super().__init__()
        self.trunk = trunk
        self.joint = nn.Sequential(
            nn.Linear(math.prod(trunk.feature_shape) + latent_size, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, 1),
        )

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Logits (B,) of pairs x (B, *X), z (B, Z)."""
        return self.joint(torch.cat([self.trunk.features(x).flatten(1), z], 1)).squeeze(1)
