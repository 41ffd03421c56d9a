"""DCGAN-like networks for images of any height and width from 8 up and any number of channels.

The generator starts at the size that halving, rounded up, brings to 4 or less, and doubles from there,
cropping where a side is odd: 8 from 4, 28 from 4-7-14, 64 from 4-8-16-32. The discriminator halves, rounded
down, until 4 or less is left: these convolutions are its features. Of images that are not square, the shorter
side decides how often: 24×40 grows from 3×5-6×10-12×20. The encoder goes on from the features, with
convolutions of its own, then separate fully connected networks, as the paper's section 4 has it.

Source: Radford et al. 2015, "Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks"; spectral norm: Miyato et al. 2018, "Spectral Normalization for GANs".
"""

import math
from functools import partial
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from dalikit.errors import UnfitError
from dalikit.functional.ranges import squash
from dalikit.hookspecs import offer
from dalikit.interfaces import Backbone, DataSpec, Discriminator, Encoder, Generator, Shape
from dalikit.players import SMALLEST, SeparateHeads, Squeeze, doublings, image_shape, weight_norm

DALIKIT_API = 2

Width = Annotated[int, Field(ge=1, le=65_536)]
Norm = Literal["none", "spectral", "batch"]

SLOPE = 0.2


class DCGANGenerator(Generator):
    """A dense layer to the smallest size, then one transposed convolution a doubling, then one to x.

    Channels halve at each doubling, down to `width` at full size. Batch norm and ReLU throughout.

    Args:
        width: channels before the last layer.
        norm: `batch` behind every layer but the last, or `none`.
    """

    name = "dcgan"

    def __init__(
        self,
        latent_size: int,
        spec: DataSpec,
        /,
        *,
        width: Width = 64,
        norm: Literal["none", "batch"] = "batch",
    ) -> None:
        super().__init__(latent_size, spec)
        channels, *size = image_shape(self.name, spec.x_shape)
        self.sizes = doublings(*size)
        widest = width * 2 ** (len(self.sizes) - 1)
        smallest = (widest, *self.sizes[0])
        self.stem = nn.Sequential(
            nn.Linear(latent_size, math.prod(smallest)),
            nn.Unflatten(1, smallest),
            *_after(widest, norm, nn.ReLU()),
        )
        self.doublings = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(widest >> i, widest >> (i + 1), 4, 2, 1),
                *_after(widest >> (i + 1), norm, nn.ReLU()),
            )
            for i in range(len(self.sizes) - 1)
        )
        self.last = nn.Conv2d(width, channels, 3, 1, 1)

    def forward(self, z: Tensor) -> Tensor:
        """Map z (B, Z) to x (B, C, H, W)."""
        h = self.stem(z)
        for doubling, (height, width) in zip(self.doublings, self.sizes[1:], strict=True):
            h = doubling(h)[..., :height, :width]
        return squash(self.last(h), self.spec.value_range)


class DCGANDiscriminator(Discriminator):
    """A strided convolution a halving, `width` channels doubling, as features; two dense layers as head.

    The first convolution has no batch norm, and neither has the head.

    Args:
        width: channels of the first convolution.
        hidden: units of the head's first layer.
        norm: `spectral` of all weights, `batch` behind the convolutions but the first, or `none`.
    """

    name = "dcgan"

    def __init__(
        self, spec: DataSpec, /, *, width: Width = 64, hidden: Width = 256, norm: Norm = "spectral"
    ) -> None:
        super().__init__()
        channels, height, breadth = image_shape(self.name, spec.x_shape)
        wrap = weight_norm(norm)
        layers: list[nn.Module] = []
        while min(height, breadth) > SMALLEST:
            out = 2 * channels if layers else width
            kept = norm if layers else "none"
            convolution = wrap(nn.Conv2d(channels, out, 4, 2, 1))
            layers += [convolution, *_after(out, kept, nn.LeakyReLU(SLOPE))]
            channels, height, breadth = out, height // 2, breadth // 2
        self.feature_shape = (channels, height, breadth)
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Flatten(),
            wrap(nn.Linear(math.prod(self.feature_shape), hidden)),
            nn.LeakyReLU(SLOPE),
            wrap(nn.Linear(hidden, 1)),
            Squeeze(),
        )


class DCGANEncoder(Encoder):
    """`convs` convolutions of `width` channels at the features' size, then a network for each head.

    Args:
        convs: how many convolutions.
        width: their channels.
        hidden: units of each head's first layer.
    """

    name = "dcgan"

    def __init__(
        self,
        in_shape: Shape,
        head_sizes: tuple[int, ...],
        /,
        *,
        convs: Annotated[int, Field(ge=0, le=1000)] = 1,
        width: Width = 128,
        hidden: Width = 256,
    ) -> None:
        super().__init__()
        if convs and len(in_shape) != 3:
            raise UnfitError(f"Encoder 'dcgan' convolves features (C, H, W), not {in_shape}: 'mlp' reads any")
        channels = in_shape[0]
        layers: list[nn.Module] = []
        for _ in range(convs):
            layers += [nn.Conv2d(channels, width, 3, 1, 1), nn.LeakyReLU(SLOPE)]
            channels = width
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        flat = channels * math.prod(in_shape[1:])
        self.heads = SeparateHeads(flat, hidden, head_sizes, partial(nn.LeakyReLU, SLOPE))

    def forward(self, h: Tensor) -> tuple[Tensor, ...]:
        """Map h (B, *in_shape) to one tensor (B, size) a head."""
        return self.heads(self.trunk(h))


def _after(channels: int, norm: Norm, activation: nn.Module) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), activation] if norm == "batch" else [activation]


family = Backbone(
    "dcgan", "convolutional, for images from 8×8 up", "dcgan", "dcgan", "dcgan", convolutional=True
)
dalikit_components = offer(DCGANGenerator, DCGANDiscriminator, DCGANEncoder, family)
