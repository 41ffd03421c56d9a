"""Players made of players, so that every method runs on every backbone, and layers that networks share."""

from dalikit.players.casting import Cast
from dalikit.players.conditional import (
    ConditionalDiscriminator,
    ConditionalEncoder,
    ConditionalGenerator,
    Projection,
)
from dalikit.players.joint import CodeDiscriminator, JointDiscriminator, PairDiscriminator
from dalikit.players.layers import (
    SMALLEST,
    Divide,
    SeparateHeads,
    Squeeze,
    Wrap,
    doublings,
    image_shape,
    weight_norm,
)
from dalikit.players.trunks import EncoderWithTrunk, Trunk

__all__ = [
    "SMALLEST",
    "Cast",
    "CodeDiscriminator",
    "ConditionalDiscriminator",
    "ConditionalEncoder",
    "ConditionalGenerator",
    "Divide",
    "EncoderWithTrunk",
    "JointDiscriminator",
    "PairDiscriminator",
    "Projection",
    "SeparateHeads",
    "Squeeze",
    "Trunk",
    "Wrap",
    "doublings",
    "image_shape",
    "weight_norm",
]
