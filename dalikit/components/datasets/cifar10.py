"""CIFAR-10: 60,000 colour images of 32×32 in ten classes.

Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
"""

from pathlib import Path

from dalikit.downloads import by_torchvision
from dalikit.hookspecs import hookimpl
from dalikit.images import PreparedImages

DALIKIT_API = 1


class CIFAR10(PreparedImages):
    """Colour images, (3, 32, 32) in [-1, 1]: 45,000 train, 5,000 validation, 10,000 test."""

    name = "cifar10"
    x_shape = (3, 32, 32)
    preparation = (
        "CIFAR-10, 32×32 uint8 scaled to [-1, 1]; the official 50,000 and 10,000, the last 5,000 of training "
        "held out"
    )

    def prepare(self, path: Path) -> None:
        """Write the prepared file from torchvision's."""
        by_torchvision(path, "CIFAR10")


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the data set."""
    return [CIFAR10]
