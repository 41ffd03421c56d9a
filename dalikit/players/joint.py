"""Discriminators on pairs and on codes, made on any trunk."""

import math

import torch
from torch import Tensor, nn

from dalikit.interfaces import Shape
from dalikit.players.conditional import Projection
from dalikit.players.layers import dense
from dalikit.players.trunks import Trunk


class JointDiscriminator(nn.Module):
    """D(x, z): a trunk's features of x, joined with z, and three dense layers on both.

    A pair is one tensor (B, |X| + Z), so that games and their penalties take it as they take data. With
    `classes` it reads labels too, by a projection of what the dense layers read.

    Source: the layout of ALI's discriminator (Dumoulin et al. 2016, section 2.4), on any trunk.
    """

    def __init__(
        self, trunk: Trunk, x_shape: Shape, latent_size: int, *, width: int = 256, classes: int | None = None
    ) -> None:
        super().__init__()
        size = math.prod(trunk.feature_shape) + latent_size
        self.trunk = trunk
        self.x_shape = x_shape
        self.joint = dense(size, width)
        self.projection = None if classes is None else Projection(classes, size)

    @staticmethod
    def pairs(x: Tensor, z: Tensor) -> Tensor:
        """x (B, *X) and z (B, Z) as pairs (B, |X| + Z)."""
        return torch.cat([x.flatten(1), z], 1)

    def parts(self, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, *X) and z (B, Z) of pairs (B, |X| + Z)."""
        size = math.prod(self.x_shape)
        return pairs[:, :size].unflatten(1, self.x_shape), pairs[:, size:]

    def forward(self, pairs: Tensor, *labels: Tensor) -> Tensor:
        """Logits (B,) of pairs (B, |X| + Z)."""
        x, z = self.parts(pairs)
        return _logits(self.joint, self.projection, torch.cat([self.trunk(x).flatten(1), z], 1), labels)


class PairDiscriminator(nn.Module):
    """D(x, x'): a trunk's features of both, and three dense layers on them together, with labels as above.

    A pair is one tensor (B, 2·C, …): the two data along their first axis.
    """

    def __init__(self, trunk: Trunk, *, width: int = 256, classes: int | None = None) -> None:
        super().__init__()
        size = 2 * math.prod(trunk.feature_shape)
        self.trunk = trunk
        self.joint = dense(size, width)
        self.projection = None if classes is None else Projection(classes, size)

    @staticmethod
    def pairs(x: Tensor, other: Tensor) -> Tensor:
        """x and x' (B, *X) as pairs."""
        return torch.cat([x, other], 1)

    @staticmethod
    def parts(pairs: Tensor) -> tuple[Tensor, Tensor]:
        """x and x' of pairs."""
        x, other = pairs.chunk(2, 1)
        return x, other

    def forward(self, pairs: Tensor, *labels: Tensor) -> Tensor:
        """Logits (B,) of pairs."""
        both = [self.trunk(part).flatten(1) for part in self.parts(pairs)]
        return _logits(self.joint, self.projection, torch.cat(both, 1), labels)


class CodeDiscriminator(nn.Module):
    """D(z): three dense layers on codes; it reads no labels.

    Source: the layout of the adversarial autoencoder's (Makhzani et al. 2015, appendix A).
    """

    def __init__(self, latent_size: int, *, width: int = 256) -> None:
        super().__init__()
        self.net = dense(latent_size, width)

    def forward(self, z: Tensor) -> Tensor:
        """Logits (B,) of codes z (B, Z)."""
        return self.net(z).squeeze(1)


def _logits(
    layers: nn.Module, projection: Projection | None, h: Tensor, labels: tuple[Tensor, ...]
) -> Tensor:
    logits = layers(h)
    return (logits if projection is None else logits + projection(h, *labels)).squeeze(1)
