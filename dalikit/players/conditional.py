"""Players that read labels, composed from any that do not: every backbone is conditional by these.

Symbols: C how many classes there are, E the size of a label's embedding.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dalikit.interfaces import Discriminator, Encoder, Generator, Shape

EMBEDDING = 16
"""E."""


def joined_size(latent_size: int) -> int:
    """The Z of a generator whose code is joined by an embedding."""
    return latent_size + EMBEDDING


def joined_shape(feature_shape: Shape) -> Shape:
    """The shape of features that an embedding stands beside, along their first axis."""
    return feature_shape[0] + EMBEDDING, *feature_shape[1:]


class Projection(nn.Module):
    """⟨e(y), h⟩ for each of `outputs`: what a label adds to logits on features h.

    The embedding is spectrally normed, as in the paper: without that it soon outweighs all else that D sees,
    and samples of one label look alike.

    Source: Miyato and Koyama 2018, "cGANs with Projection Discriminator", equation (4).
    """

    def __init__(self, classes: int, size: int, outputs: int = 1) -> None:
        super().__init__()
        self.embedding = spectral_norm(nn.Embedding(classes, outputs * size))
        self.outputs = outputs

    def forward(self, h: Tensor, y: Tensor) -> Tensor:
        """(B, outputs) of features h (B, *H) and labels y (B,)."""
        return (self.embedding(y).unflatten(1, (self.outputs, -1)) * h.flatten(1)[:, None]).sum(2)


class ConditionalGenerator(nn.Module):
    """p(x|z, y): a generator whose code is joined by an embedding of the label.

    Attributes:
        latent_size: Z without the embedding.
    """

    def __init__(self, generator: Generator, classes: int) -> None:
        super().__init__()
        self.generator = generator
        self.embedding = nn.Embedding(classes, EMBEDDING)
        self.spec = generator.spec
        self.latent_size = generator.latent_size - EMBEDDING

    @property
    def described(self) -> nn.Module:
        """What errors name it by."""
        return self.generator

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """Map z (B, Z) and y (B,) to x (B, *X)."""
        return self.generator(torch.cat([z, self.embedding(y).to(z)], 1))


class ConditionalHead(nn.Module):
    """A discriminator's head, and a projection of the features it reads."""

    def __init__(self, head: nn.Module, projection: Projection) -> None:
        super().__init__()
        self.head = head
        self.projection = projection

    def forward(self, h: Tensor, y: Tensor) -> Tensor:
        """Logits (B,) of features h (B, *H) and labels y (B,)."""
        return self.head(h) + self.projection(h, y).squeeze(1)


class ConditionalDiscriminator(nn.Module):
    """D(x, y): any discriminator with a projection of its features."""

    def __init__(self, discriminator: Discriminator, classes: int) -> None:
        super().__init__()
        self.trunk = discriminator.trunk
        self.feature_shape = discriminator.feature_shape
        size = torch.Size(self.feature_shape).numel()
        self.head = ConditionalHead(discriminator.head, Projection(classes, size))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Logits (B,) of x (B, *X) under labels y (B,)."""
        return self.head(self.trunk(x), y)


class ConditionalEncoder(nn.Module):
    """An encoder on features beside which the label's embedding stands, the same at every place."""

    def __init__(self, encoder: Encoder, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.embedding = nn.Embedding(classes, EMBEDDING)

    @property
    def described(self) -> nn.Module:
        """What errors name it by."""
        return self.encoder

    def forward(self, h: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        """Map h (B, *H) and y (B,) to one tensor (B, size) a head."""
        beside = self.embedding(y).to(h).reshape(h.shape[0], EMBEDDING, *[1] * (h.dim() - 2))
        return self.encoder(torch.cat([h, beside.expand(-1, -1, *h.shape[2:])], 1))
