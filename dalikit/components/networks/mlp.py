"""Multilayer perceptrons for data of any shape: 2-D mixtures first of all.

Source: the layout of the mixture experiments of VEEGAN (Srivastava et al. 2017, appendix), in ReLU layers.
"""

import math
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from dalikit.functional.ranges import squash
from dalikit.hookspecs import offer
from dalikit.interfaces import Backbone, DataSpec, Discriminator, Encoder, Generator, Shape
from dalikit.players import Divide, SeparateHeads, Squeeze, weight_norm

DALIKIT_API = 2

Width = Annotated[int, Field(ge=1, le=65_536)]
Depth = Annotated[int, Field(ge=1, le=1000)]
Scale = Annotated[float, Field(gt=0)]


def _layers(inputs: int, width: int, depth: int, norm: str = "none") -> list[nn.Module]:
    wrap = weight_norm(norm)
    sizes = [inputs] + [width] * depth
    return [module for a, b in pairwise(sizes) for module in (wrap(nn.Linear(a, b)), nn.ReLU())]


class MLPGenerator(Generator):
    """`depth` ReLU layers of `width`, then a linear layer to x; `x_scale` multiplies unbounded outputs."""

    name = "mlp"

    def __init__(
        self,
        latent_size: int,
        spec: DataSpec,
        /,
        *,
        width: Width = 128,
        depth: Depth = 2,
        x_scale: Scale = 1.0,
    ) -> None:
        super().__init__(latent_size, spec)
        self.x_scale = x_scale
        self.net = nn.Sequential(
            *_layers(latent_size, width, depth), nn.Linear(width, math.prod(spec.x_shape))
        )

    def forward(self, z: Tensor) -> Tensor:
        """Map z (B, Z) to x (B, *X)."""
        return squash(self.x_scale * self.net(z), self.spec.value_range).unflatten(1, self.spec.x_shape)


class MLPDiscriminator(Discriminator):
    """`depth` ReLU layers of `width` as features of x / `x_scale`, then `head_depth` layers to a logit.

    Args:
        width: units of each layer.
        depth: layers of the features.
        head_depth: hidden layers of the head.
        x_scale: what x is divided by.
        norm: of all weights, `spectral` or `none`.
    """

    name = "mlp"

    def __init__(
        self,
        spec: DataSpec,
        /,
        *,
        width: Width = 128,
        depth: Depth = 1,
        head_depth: Depth = 1,
        x_scale: Scale = 1.0,
        norm: Literal["none", "spectral"] = "none",
    ) -> None:
        super().__init__()
        self.feature_shape = (width,)
        wrap = weight_norm(norm)
        self.trunk = nn.Sequential(
            Divide(x_scale), nn.Flatten(), *_layers(math.prod(spec.x_shape), width, depth, norm)
        )
        self.head = nn.Sequential(
            *_layers(width, width, head_depth, norm), wrap(nn.Linear(width, 1)), Squeeze()
        )


class MLPEncoder(Encoder):
    """`depth` shared ReLU layers of `width`, then one hidden layer and a linear one for each head."""

    name = "mlp"

    def __init__(
        self, in_shape: Shape, head_sizes: tuple[int, ...], /, *, width: Width = 128, depth: Depth = 1
    ) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), *_layers(math.prod(in_shape), width, depth))
        self.heads = SeparateHeads(width, width, head_sizes)

    def forward(self, h: Tensor) -> tuple[Tensor, ...]:
        """Map h (B, *in_shape) to one tensor (B, size) a head."""
        return self.heads(self.trunk(h))


family = Backbone("mlp", "multilayer perceptrons, for data of any shape", "mlp", "mlp", "mlp")
dalikit_components = offer(MLPGenerator, MLPDiscriminator, MLPEncoder, family)
