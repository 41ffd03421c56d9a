"""SN-GAN's residual networks, for 32×32, 64×64 and other sides that are 4 times a power of two.

Generator: a dense layer to 4×4, a residual block for each doubling, batch norm, ReLU, a convolution and tanh.
The discriminator's features: an optimised first block, which halves, and residual blocks that go on halving
while the size is above 8, then one more block at that size; its head is another block, summed over the image
into one dense logit. The encoder goes on from the features.

Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", appendix B.4,
table 4, the networks for CIFAR-10. At other sides blocks of the same kind and width are added or left out.
"""

import math
from functools import partial
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from dalikit.errors import UnfitError
from dalikit.functional.ranges import squash
from dalikit.hookspecs import offer
from dalikit.interfaces import Backbone, DataSpec, Discriminator, Encoder, Generator, Shape
from dalikit.players import SeparateHeads, Squeeze, Wrap, weight_norm

DALIKIT_API = 2

Width = Annotated[int, Field(ge=1)]

SMALLEST = 4
KEPT = 8
"""The size at which the discriminator stops halving."""


class UpBlock(nn.Module):
    """A residual block that doubles the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)])
        self.first = nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, S, S) to (B, outputs, 2S, 2S)."""
        h = self.first(interpolate(relu(self.norms[0](x)), scale_factor=2))
        h = self.second(relu(self.norms[1](h)))
        return h + self.skip(interpolate(x, scale_factor=2))


class DownBlock(nn.Module):
    """A residual block that halves the size if asked; `first` on data, which it does not rectify."""

    def __init__(
        self, inputs: int, outputs: int, wrap: Wrap, *, halve: bool = False, first: bool = False
    ) -> None:
        super().__init__()
        self.halve = halve
        self.first = first
        convs = nn.Conv2d(inputs, outputs, 3, 1, 1), nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.convs = nn.ModuleList([wrap(conv) for conv in convs])
        reshaped = halve or inputs != outputs
        self.skip = wrap(nn.Conv2d(inputs, outputs, 1)) if reshaped else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, S, S) to (B, outputs, S/2, S/2), or at the same size."""
        h = self.convs[1](relu(self.convs[0](x if self.first else relu(x))))
        return self._sized(h) + self.skip(self._sized(x))

    def _sized(self, x: Tensor) -> Tensor:
        return avg_pool2d(x, 2) if self.halve else x


class SumOverImage(nn.Module):
    """The sum over the places of an image: (B, C, S, S) to (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Sum over the last two axes."""
        return x.sum((2, 3))


class SNResNetGenerator(Generator):
    """`width` channels in every block."""

    name = "sn-resnet"

    def __init__(self, latent_size: int, spec: DataSpec, /, *, width: Width = 256) -> None:
        super().__init__(latent_size, spec)
        channels, size = _image(spec.x_shape)
        doublings = int(math.log2(size // SMALLEST))
        self.net = nn.Sequential(
            *(nn.Linear(latent_size, width * SMALLEST**2), nn.Unflatten(1, (width, SMALLEST, SMALLEST))),
            *(UpBlock(width, width) for _ in range(doublings)),
            *(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, channels, 3, 1, 1)),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Map z (B, Z) to x (B, C, S, S)."""
        return squash(self.net(z), self.spec.value_range)


class SNResNetDiscriminator(Discriminator):
    """`width` channels in every block. The features are all blocks but the last.

    `norm` is `spectral`, as SN-GAN has it on every weight, or `none`.
    """

    name = "sn-resnet"

    def __init__(
        self, spec: DataSpec, /, *, width: Width = 128, norm: Literal["spectral", "none"] = "spectral"
    ) -> None:
        super().__init__()
        channels, size = _image(spec.x_shape)
        wrap = weight_norm(norm)
        blocks = [DownBlock(channels, width, wrap, halve=True, first=True)]
        size //= 2
        while size > KEPT:
            blocks.append(DownBlock(width, width, wrap, halve=True))
            size //= 2
        self.feature_shape = (width, size, size)
        self.trunk = nn.Sequential(*blocks, DownBlock(width, width, wrap))
        last = DownBlock(width, width, wrap), nn.ReLU(), SumOverImage()
        self.head = nn.Sequential(*last, wrap(nn.Linear(width, 1)), Squeeze())


class SNResNetEncoder(Encoder):
    """A convolution of `width` channels that halves the features' size, then dense layers for each head."""

    name = "sn-resnet"

    def __init__(
        self, in_shape: Shape, head_sizes: tuple[int, ...], /, *, width: Width = 256, hidden: Width = 256
    ) -> None:
        super().__init__()
        if len(in_shape) != 3:
            raise UnfitError(f"Encoder 'sn-resnet' reads features (C, S, S), not {in_shape}: 'mlp' reads any")
        channels, size, _ = in_shape
        self.trunk = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten()
        )
        flat = width * (size // 2) ** 2
        self.heads = SeparateHeads(flat, hidden, head_sizes, partial(nn.LeakyReLU, 0.2))

    def forward(self, h: Tensor) -> tuple[Tensor, ...]:
        """Map h (B, *in_shape) to one tensor (B, size) a head."""
        return self.heads(self.trunk(h))


def _image(shape: Shape) -> tuple[int, int]:
    """The channels and the side of a square image whose side is 8, 16, 32, 64 and so on."""
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] < 2 * SMALLEST or shape[1] & (shape[1] - 1):
        raise UnfitError(
            f"Backbone 'sn-resnet' takes square images of side 8, 16, 32, 64 …; the data have shape {shape}. "
            "Another backbone may fit: 'dcgan' takes any side from 8 up, 'mlp' any shape"
        )
    return shape[0], shape[1]


family = Backbone("sn-resnet", "SN-GAN's residual networks", "sn-resnet", "sn-resnet", "sn-resnet")
dalikit_components = offer(SNResNetGenerator, SNResNetDiscriminator, SNResNetEncoder, family)
