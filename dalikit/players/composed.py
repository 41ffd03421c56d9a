"""Players made of other players, so that every method runs on every backbone."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dalikit.interfaces import Discriminator, Encoder, Shape

Wrap = Callable[[nn.Module], nn.Module]


def weight_norm(norm: str) -> Wrap:
    """What a layer is wrapped in: spectral norm where `norm` is "spectral", and nothing else otherwise.

    Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks".
    """
    return spectral_norm if norm == "spectral" else _as_it_is


def _as_it_is(layer: nn.Module) -> nn.Module:
    return layer


class SeparateHeads(nn.ModuleList):
    """For each of an encoder's heads a network of its own: one hidden layer, and a linear one.

    Source: DALI, section 4, whose encoder has separate fully connected networks for mean and variance.
    """

    def __init__(
        self, inputs: int, hidden: int, sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU
    ) -> None:
        super().__init__(
            nn.Sequential(nn.Linear(inputs, hidden), activation(), nn.Linear(hidden, size)) for size in sizes
        )

    def forward(self, h: Tensor) -> tuple[Tensor, ...]:
        """Map h (B, inputs) to one tensor (B, size) a head."""
        return tuple(head(h) for head in self)


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
    """D(x, z): a discriminator's features of x, joined with z, and three dense layers on both.

    A pair is one tensor (B, |X| + Z), so that games and their penalties take it as they take data.

    Source: the layout of ALI's discriminator (Dumoulin et al. 2016, section 2.4), on any trunk.
    """

    def __init__(
        self, trunk: Discriminator, x_shape: Shape, latent_size: int, /, *, width: int = 256
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.x_shape = x_shape
        self.joint = _dense(math.prod(trunk.feature_shape) + latent_size, width)

    @staticmethod
    def pairs(x: Tensor, z: Tensor) -> Tensor:
        """x (B, *X) and z (B, Z) as pairs (B, |X| + Z)."""
        return torch.cat([x.flatten(1), z], 1)

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits (B,) of pairs (B, |X| + Z)."""
        size = math.prod(self.x_shape)
        h = self.trunk.features(pairs[:, :size].unflatten(1, self.x_shape))
        return self.joint(torch.cat([h.flatten(1), pairs[:, size:]], 1)).squeeze(1)


class PairDiscriminator(nn.Module):
    """D(x, x'): a discriminator's features of both, and three dense layers on them together.

    A pair is one tensor (B, 2·C, …): the two data along their first axis.
    """

    def __init__(self, trunk: Discriminator, /, *, width: int = 256) -> None:
        super().__init__()
        self.trunk = trunk
        self.joint = _dense(2 * math.prod(trunk.feature_shape), width)

    @staticmethod
    def pairs(x: Tensor, other: Tensor) -> Tensor:
        """x and x' (B, *X) as pairs."""
        return torch.cat([x, other], 1)

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits (B,) of pairs."""
        both = [self.trunk.features(part).flatten(1) for part in pairs.chunk(2, 1)]
        return self.joint(torch.cat(both, 1)).squeeze(1)


class CodeDiscriminator(nn.Module):
    """D(z): three dense layers on codes.

    Source: the layout of the adversarial autoencoder's (Makhzani et al. 2015, appendix A).
    """

    def __init__(self, latent_size: int, /, *, width: int = 256) -> None:
        super().__init__()
        self.net = _dense(latent_size, width)

    def forward(self, z: Tensor) -> Tensor:
        """Logits (B,) of codes z (B, Z)."""
        return self.net(z).squeeze(1)


def _dense(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Linear(inputs, width), nn.LeakyReLU(0.2)),
        *(nn.Linear(width, width), nn.LeakyReLU(0.2)),
        nn.Linear(width, 1),
    )
