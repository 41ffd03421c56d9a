"""ALI's networks for mixtures: batch-normalised ReLU layers against maxout layers.

Generator: four layers of 400, batch norm and ReLU. Discriminator: three maxout layers of 200, five pieces
each; the first two are its features. Encoder: a layer of `width` on them, then a network for each head.

Source: Dumoulin et al. 2016, "Adversarially Learned Inference", appendix A, table 8; Goodfellow et al. 2013,
"Maxout Networks".
"""

import math
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from dalikit.functional.ranges import squash
from dalikit.hookspecs import offer
from dalikit.interfaces import Backbone, DataSpec, Discriminator, Encoder, Generator, Shape
from dalikit.players import Divide, SeparateHeads, Squeeze, Wrap, weight_norm

DALIKIT_API = 2

Width = Annotated[int, Field(ge=1, le=65_536)]
Scale = Annotated[float, Field(gt=0)]


class Maxout(nn.Module):
    """The greatest of `pieces` linear maps, unit by unit: (B, inputs) to (B, outputs)."""

    def __init__(self, inputs: int, outputs: int, pieces: int, wrap: Wrap) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = wrap(nn.Linear(inputs, outputs * pieces))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, inputs) to (B, outputs)."""
        return self.linear(x).unflatten(1, (-1, self.pieces)).amax(2)


class MaxoutGenerator(Generator):
    """`depth` dense layers of `width` with batch norm and ReLU, then a linear layer to x.

    Args:
        depth: how many hidden layers.
        width: their units.
        x_scale: multiplies unbounded outputs.
    """

    name = "maxout-mlp"

    def __init__(
        self,
        latent_size: int,
        spec: DataSpec,
        /,
        *,
        width: Width = 400,
        depth: Width = 4,
        x_scale: Scale = 1.0,
    ) -> None:
        super().__init__(latent_size, spec)
        self.x_scale = x_scale
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([latent_size] + [width] * depth):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Linear(width, math.prod(spec.x_shape)))

    def forward(self, z: Tensor) -> Tensor:
        """Map z (B, Z) to x (B, *X)."""
        return squash(self.x_scale * self.net(z), self.spec.value_range).unflatten(1, self.spec.x_shape)


class MaxoutDiscriminator(Discriminator):
    """Two maxout layers as features of x / `x_scale`, a third and a linear layer as head.

    Args:
        width: units of each maxout layer.
        pieces: linear maps of which each unit takes the greatest.
        x_scale: what x is divided by.
        norm: of all weights, `spectral` or `none`.
    """

    name = "maxout-mlp"

    def __init__(
        self,
        spec: DataSpec,
        /,
        *,
        width: Width = 200,
        pieces: Width = 5,
        x_scale: Scale = 1.0,
        norm: Literal["none", "spectral"] = "none",
    ) -> None:
        super().__init__()
        self.feature_shape = (width,)
        wrap = weight_norm(norm)
        first, second = (
            Maxout(math.prod(spec.x_shape), width, pieces, wrap),
            Maxout(width, width, pieces, wrap),
        )
        self.trunk = nn.Sequential(Divide(x_scale), nn.Flatten(), first, second)
        self.head = nn.Sequential(Maxout(width, width, pieces, wrap), wrap(nn.Linear(width, 1)), Squeeze())


class MaxoutEncoder(Encoder):
    """A ReLU layer of `width`, then one hidden layer and a linear one for each head."""

    name = "maxout-mlp"

    def __init__(self, in_shape: Shape, head_sizes: tuple[int, ...], /, *, width: Width = 200) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(in_shape), width), nn.ReLU())
        self.heads = SeparateHeads(width, width, head_sizes)

    def forward(self, h: Tensor) -> tuple[Tensor, ...]:
        """Map h (B, *in_shape) to one tensor (B, size) a head."""
        return self.heads(self.trunk(h))


name = "maxout-mlp"
dalikit_components = offer(
    MaxoutGenerator,
    MaxoutDiscriminator,
    MaxoutEncoder,
    Backbone(name, "ALI's for mixtures", name, name, name),
)
