"""No augmentation: the discriminator sees the data as they are."""

from torch import Tensor

from dalikit.hookspecs import offer
from dalikit.interfaces import Augmentation, DataSpec

DALIKIT_API = 2


class NoAugmentation(Augmentation):
    """The identity, on data of any shape."""

    name = "none"
    changes = False

    def __init__(self, spec: DataSpec, /) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """x (B, *X) itself."""
        return x


dalikit_components = offer(NoAugmentation)
