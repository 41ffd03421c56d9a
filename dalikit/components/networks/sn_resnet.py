"""SN-GAN's residual networks, for images of any height and width from 8 up.

Generator: a dense layer to 4×4, a residual block for each doubling, batch norm, ReLU, a convolution and tanh.
The discriminator's features: an optimised first block, which halves, and residual blocks that go on halving
while the size is above 8, then one more block at that size; its head is another block, summed over the image
into one dense logit. The encoder goes on from the features.

At other sizes blocks of the same kind and width are added or left out: the shorter side decides how many. The
generator starts where halving, rounded up, brings it to 4 or less, and its blocks crop what doubling has made
too long: 28×40 grows from 4×5-7×10-14×20. The discriminator's halving rounds down.

Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", appendix B.4,
table 4, the networks for CIFAR-10.
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
from dalikit.players import SeparateHeads, Squeeze, Wrap, doublings, image_shape, weight_norm

DALIKIT_API = 2

Width = Annotated[int, Field(ge=1, le=65_536)]

KEPT = 8
"""The shorter side at which the discriminator stops halving."""


class UpBlock(nn.Module):
    """A residual block that doubles the size, and crops it to `size`, (H, W)."""

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.height, self.width = size
        self.norms = nn.ModuleList([nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)])
        self.first = nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, ⌈H / 2⌉, ⌈W / 2⌉) to (B, outputs, H, W)."""
        h = self.first(self._doubled(relu(self.norms[0](x))))
        h = self.second(relu(self.norms[1](h)))
        return h + self.skip(self._doubled(x))

    def _doubled(self, x: Tensor) -> Tensor:
        return interpolate(x, scale_factor=2)[..., : self.height, : self.width]


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
        """Map (B, inputs, H, W) to (B, outputs, ⌊H / 2⌋, ⌊W / 2⌋), or at the same size."""
        h = self.convs[1](relu(self.convs[0](x if self.first else relu(x))))
        return self._sized(h) + self.skip(self._sized(x))

    def _sized(self, x: Tensor) -> Tensor:
        return avg_pool2d(x, 2) if self.halve else x


class SumOverImage(nn.Module):
    """The sum over the places of an image: (B, C, H, W) to (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Sum over the last two axes."""
        return x.sum((2, 3))


class SNResNetGenerator(Generator):
    """`width` channels in every block."""

    name = "sn-resnet"

    def __init__(self, latent_size: int, spec: DataSpec, /, *, width: Width = 256) -> None:
        super().__init__(latent_size, spec)
        channels, height, breadth = image_shape(self.name, spec.x_shape)
        smallest, *sizes = doublings(height, breadth)
        self.net = nn.Sequential(
            *(nn.Linear(latent_size, width * math.prod(smallest)), nn.Unflatten(1, (width, *smallest))),
            *(UpBlock(width, width, size) for size in sizes),
            *(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, channels, 3, 1, 1)),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Map z (B, Z) to x (B, C, H, W)."""
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
        channels, *size = image_shape(self.name, spec.x_shape)
        wrap = weight_norm(norm)
        blocks = [DownBlock(channels, width, wrap, halve=True, first=True)]
        size = [side // 2 for side in size]
        while min(size) > KEPT:
            blocks.append(DownBlock(width, width, wrap, halve=True))
            size = [side // 2 for side in size]
        self.feature_shape = (width, *size)
        self.trunk = nn.Sequential(*blocks, DownBlock(width, width, wrap))
        last = DownBlock(width, width, wrap), nn.ReLU(), SumOverImage()
        self.head = nn.Sequential(*last, wrap(nn.Linear(width, 1)), Squeeze())


class SNResNetEncoder(Encoder):
    """A convolution of `width` channels that halves the features' size, then dense layers for each head.

    Args:
        width: channels of the convolution.
        hidden: units of each head's first layer.
    """

    name = "sn-resnet"

    def __init__(
        self, in_shape: Shape, head_sizes: tuple[int, ...], /, *, width: Width = 256, hidden: Width = 256
    ) -> None:
        super().__init__()
        if len(in_shape) != 3:
            raise UnfitError(f"Encoder 'sn-resnet' reads features (C, H, W), not {in_shape}: 'mlp' reads any")
        channels, height, breadth = in_shape
        self.trunk = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten()
        )
        flat = width * (height // 2) * (breadth // 2)
        self.heads = SeparateHeads(flat, hidden, head_sizes, partial(nn.LeakyReLU, 0.2))

    def forward(self, h: Tensor) -> tuple[Tensor, ...]:
        """Map h (B, *in_shape) to one tensor (B, size) a head."""
        return self.heads(self.trunk(h))


family = Backbone(
    "sn-resnet", "SN-GAN's residual networks", "sn-resnet", "sn-resnet", "sn-resnet", convolutional=True
)
dalikit_components = offer(SNResNetGenerator, SNResNetDiscriminator, SNResNetEncoder, family)
