"""CIFAR-10: 60,000 colour images of 32×32 in ten classes.

Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
"""

from pathlib import Path
from typing import Literal

from torch import Tensor
from torch.nn.functional import interpolate

from dalikit.data.downloads import by_torchvision
from dalikit.data.images import PreparedImages
from dalikit.hookspecs import offer
from dalikit.interfaces import DataSpec

DALIKIT_API = 2

CLASSES = (*("airplane", "automobile", "bird", "cat", "deer"), *("dog", "frog", "horse", "ship", "truck"))


class CIFAR10(PreparedImages):
    """Colour images, (3, S, S) in [-1, 1]: 45,000 train, 5,000 validation, 10,000 test.

    Args:
        size: S. At 64 they are enlarged bilinearly, on the device, as in the first author's earlier code.
        flip: whether training images are mirrored left to right at random.
    """

    name = "cifar10"
    title = "CIFAR-10"
    file_shape = (3, 32, 32)
    expected = 45_000

    def __init__(
        self, root: Path | None = None, /, *, size: Literal[32, 64] = 32, flip: bool = False
    ) -> None:
        super().__init__(root)
        self.flip = flip
        self.spec = DataSpec((3, size, size), (-1.0, 1.0), CLASSES)

    def scale(self, raw: Tensor) -> Tensor:
        """Turn uint8 images (B, 3, 32, 32) into x (B, 3, S, S) in [-1, 1]."""
        x = super().scale(raw)
        size = self.spec.x_shape[1:]
        if tuple(x.shape[2:]) == size:
            return x
        return interpolate(x, size=size, mode="bilinear", align_corners=False)

    def prepare(self, path: Path) -> None:
        """Write the prepared file from torchvision's."""
        by_torchvision(path, "CIFAR10")


dalikit_components = offer(CIFAR10)
