"""The MNIST networks of InfoGAN, with a convolutional encoder on D's features.

Generator: dense 1024, dense to 128 channels at a quarter of the size, transposed convolutions to 64 channels
and to x. Features: convolutions of 64 and 128 channels, each halving the size; head: dense 1024, dense 64,
one logit. Any height and width from 4 up will do: where 4 does not divide a side, the generator's quarter is
rounded up and what reaches over is cut off, and the features' are rounded down. Encoder: a convolution of 64
channels, then a separate dense network for each head.

Source: Chen et al. 2016, "InfoGAN", appendix C.1; DALI, section 4, for separate networks of mean and
variance. That these are the sizes DALI's authors used on MNIST is known from their earlier code alone.
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
from dalikit.players import SeparateHeads, Squeeze, image_shape, weight_norm

DALIKIT_API = 2

Width = Annotated[int, Field(ge=1, le=65_536)]

SLOPE = 0.1


class InfoGANGenerator(Generator):
    """`width` channels before the last layer, twice as many before that; batch norm and ReLU throughout.

    Args:
        width: channels before the last layer.
        hidden: units of the first, dense layer.
    """

    name = "infogan"

    def __init__(
        self, latent_size: int, spec: DataSpec, /, *, width: Width = 64, hidden: Width = 1024
    ) -> None:
        super().__init__(latent_size, spec)
        channels, *sides = image_shape(self.name, spec.x_shape, least=4)
        smallest = (2 * width, *(math.ceil(side / 4) for side in sides))
        flat = math.prod(smallest)
        self.net = nn.Sequential(
            *(nn.Linear(latent_size, hidden), nn.BatchNorm1d(hidden), nn.ReLU()),
            *(nn.Linear(hidden, flat), nn.BatchNorm1d(flat), nn.ReLU(), nn.Unflatten(1, smallest)),
            *(nn.ConvTranspose2d(2 * width, width, 4, 2, 1), nn.BatchNorm2d(width), nn.ReLU()),
            nn.ConvTranspose2d(width, channels, 4, 2, 1),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Map z (B, Z) to x (B, C, H, W)."""
        height, width = self.spec.x_shape[1:]
        return squash(self.net(z)[..., :height, :width], self.spec.value_range)


class InfoGANDiscriminator(Discriminator):
    """Two convolutions as features, two dense layers and a logit as head.

    `norm` is that of the features and the head: `spectral`, `none`, or `batch` as in InfoGAN (not after the
    first convolution). The earlier code of DALI's authors has spectral norm in the features of its GAN
    variant, batch norm in the other.

    Args:
        width: channels of the first convolution; the second has twice as many.
        hidden: units of the head's first layer.
        norm: see above.
    """

    name = "infogan"

    def __init__(
        self,
        spec: DataSpec,
        /,
        *,
        width: Width = 64,
        hidden: Width = 1024,
        norm: Literal["none", "spectral", "batch"] = "spectral",
    ) -> None:
        super().__init__()
        channels, *sides = image_shape(self.name, spec.x_shape, least=4)
        wrap = weight_norm(norm)
        second = [nn.BatchNorm2d(2 * width)] if norm == "batch" else []
        dense = [nn.BatchNorm1d(hidden)] if norm == "batch" else []
        self.feature_shape = (2 * width, *(side // 4 for side in sides))
        self.trunk = nn.Sequential(
            *(wrap(nn.Conv2d(channels, width, 4, 2, 1)), nn.LeakyReLU(SLOPE)),
            *(wrap(nn.Conv2d(width, 2 * width, 4, 2, 1)), *second, nn.LeakyReLU(SLOPE)),
        )
        self.head = nn.Sequential(
            *(
                nn.Flatten(),
                wrap(nn.Linear(math.prod(self.feature_shape), hidden)),
                *dense,
                nn.LeakyReLU(SLOPE),
            ),
            *(wrap(nn.Linear(hidden, 64)), nn.LeakyReLU(SLOPE), wrap(nn.Linear(64, 1)), Squeeze()),
        )


class InfoGANEncoder(Encoder):
    """One convolution of `width` channels on the features, then dense layers of `hidden` for each head."""

    name = "infogan"

    def __init__(
        self, in_shape: Shape, head_sizes: tuple[int, ...], /, *, width: Width = 64, hidden: Width = 256
    ) -> None:
        super().__init__()
        if len(in_shape) != 3:
            raise UnfitError(f"Encoder 'infogan' reads features (C, H, W), not {in_shape}: 'mlp' reads any")
        channels, *size = in_shape
        self.trunk = nn.Sequential(nn.Conv2d(channels, width, 3, 1, 1), nn.LeakyReLU(SLOPE), nn.Flatten())
        flat = width * math.prod(size)
        self.heads = SeparateHeads(flat, hidden, head_sizes, partial(nn.LeakyReLU, SLOPE))

    def forward(self, h: Tensor) -> tuple[Tensor, ...]:
        """Map h (B, *in_shape) to one tensor (B, size) a head."""
        return self.heads(self.trunk(h))


family = Backbone(
    "infogan", "InfoGAN's networks, made for 28×28", "infogan", "infogan", "infogan", convolutional=True
)
dalikit_components = offer(InfoGANGenerator, InfoGANDiscriminator, InfoGANEncoder, family)
