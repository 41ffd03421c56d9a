"""DCGAN-like networks for square images of any size from 8×8 up and any number of channels.

Sizes are halved, rounding up, until 4 or less is left: 8-4, 28-14-7-4, 32-16-8-4, 64-32-16-8-4. The generator
doubles from the smallest, cropping where a size is odd; the discriminator halves, after a first convolution
at full size. The encoder goes on from the discriminator's features with convolutions of its own, then two
separate fully connected networks, as the paper's section 4 describes it.

Source: Radford et al. 2015, "Unsupervised Representation Learning with DCGANs"; Miyato et al. 2018,
"Spectral Normalization for GANs", for the first convolution and the spectral norm.
"""

import math
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dalikit.errors import UnfitError
from dalikit.functional.ranges import squash
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import Backbone, Discriminator, Encoder, Generator, Range, Shape

DALIKIT_API = 1

Width = Annotated[int, Field(ge=1)]
Norm = Literal["none", "spectral", "batch"]

SMALLEST = 8
SLOPE = 0.2


def halvings(size: int) -> list[int]:
    """The sizes from `size` down to 4 or less.

    >>> halvings(28)
    [28, 14, 7, 4]
    """
    sizes = [size]
    while sizes[-1] > 4:
        sizes.append(math.ceil(sizes[-1] / 2))
    return sizes


class DCGANGenerator(Generator):
    """A dense layer to the smallest size, then one transposed convolution a doubling, then one to x.

    Channels halve at each doubling, down to `width` at full size. Batch norm and ReLU throughout.
    """

    name = "dcgan"

    def __init__(
        self,
        latent_size: int,
        x_shape: Shape,
        value_range: Range | None,
        /,
        *,
        width: Width = 64,
        norm: Literal["none", "batch"] = "batch",
    ) -> None:
        super().__init__(latent_size, x_shape, value_range)
        channels, size = _image(x_shape)
        self.value_range = value_range
        self.sizes = halvings(size)[::-1]
        widest = width * 2 ** (len(self.sizes) - 1)
        smallest = (widest, self.sizes[0], self.sizes[0])
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
        """Map z (B, Z) to x (B, C, S, S)."""
        h = self.stem(z)
        for doubling, size in zip(self.doublings, self.sizes[1:], strict=True):
            h = doubling(h)[..., :size, :size]
        return squash(self.last(h), self.value_range)


class DCGANDiscriminator(Discriminator):
    """A convolution at full size, then one a halving; channels double from `width`.

    The features are what the first halving gives; the head has the rest, and a dense layer to the logit.
    """

    name = "dcgan"

    def __init__(self, x_shape: Shape, /, *, width: Width = 64, norm: Norm = "none") -> None:
        super().__init__()
        channels, size = _image(x_shape)
        sizes = halvings(size)
        wrap: Callable[[nn.Module], nn.Module] = spectral_norm if norm == "spectral" else _as_it_is
        self.feature_shape = (2 * width, sizes[1], sizes[1])
        self.trunk = nn.Sequential(
            wrap(nn.Conv2d(channels, width, 3, 1, 1)),
            nn.LeakyReLU(SLOPE),
            wrap(nn.Conv2d(width, 2 * width, 3, 2, 1)),
            *_after(2 * width, norm, nn.LeakyReLU(SLOPE)),
        )
        layers: list[nn.Module] = []
        for i in range(1, len(sizes) - 1):
            wider = width * 2 ** (i + 1)
            layers += [
                wrap(nn.Conv2d(wider // 2, wider, 3, 2, 1)),
                *_after(wider, norm, nn.LeakyReLU(SLOPE)),
            ]
        widest = width * 2 ** (len(sizes) - 1)
        self.rest = nn.Sequential(*layers, nn.Flatten(), wrap(nn.Linear(widest * sizes[-1] ** 2, 1)))

    def features(self, x: Tensor) -> Tensor:
        """Map x (B, C, S, S) to h (B, 2·width, S/2, S/2), halves rounded up."""
        return self.trunk(x)

    def head(self, h: Tensor) -> Tensor:
        """Map h to logits (B,)."""
        return self.rest(h).squeeze(1)


class DCGANEncoder(Encoder):
    """One convolution a halving, until 4 or less is left, then a one-layer network for each head."""

    name = "dcgan"

    def __init__(
        self,
        in_shape: Shape,
        head_sizes: tuple[int, ...],
        /,
        *,
        width: Width = 128,
        hidden: Width = 128,
    ) -> None:
        super().__init__()
        channels, size = _image(in_shape, 1)
        sizes = halvings(size)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, 1, 1), nn.LeakyReLU(SLOPE)]
        for _ in sizes[1:]:
            layers += [nn.Conv2d(width, width, 3, 2, 1), nn.LeakyReLU(SLOPE)]
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        flat = width * sizes[-1] ** 2
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(flat, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, size))
            for size in head_sizes
        )

    def forward(self, h: Tensor) -> tuple[Tensor, ...]:
        """Map h (B, *in_shape) to one tensor (B, size) a head."""
        shared = self.trunk(h)
        return tuple(head(shared) for head in self.heads)


def _after(channels: int, norm: Norm, activation: nn.Module) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), activation] if norm == "batch" else [activation]


def _as_it_is(module: nn.Module) -> nn.Module:
    return module


def _image(shape: Shape, smallest: int = SMALLEST) -> tuple[int, int]:
    """The channels and the side of a square image."""
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] < smallest:
        raise UnfitError(
            f"Backbone 'dcgan' takes square images from {SMALLEST}×{SMALLEST} up, (C, S, S); the data have "
            f"shape {shape}. Another backbone may fit: 'mlp' takes any shape"
        )
    return shape[0], shape[1]


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the three networks and the family they make."""
    family = Backbone("dcgan", "convolutional, for square images from 8×8 up", "dcgan", "dcgan", "dcgan")
    return [DCGANGenerator, DCGANDiscriminator, DCGANEncoder, family]
