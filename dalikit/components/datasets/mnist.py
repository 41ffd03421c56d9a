"""MNIST and Fashion-MNIST: 70,000 grey images of 28×28.

Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition"; Xiao et al. 2017,
"Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms".
"""

from pathlib import Path

from dalikit.data.downloads import by_torchvision
from dalikit.data.images import PreparedImages
from dalikit.hookspecs import offer
from dalikit.interfaces import DataSpec

DALIKIT_API = 2

CLOTHES = (
    *("T-shirt/top", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)


class MNIST(PreparedImages):
    """Handwritten digits, (1, 28, 28) in [-1, 1]: 55,000 train, 5,000 validation, 10,000 test."""

    name = "mnist"
    spec = DataSpec((1, 28, 28), (-1.0, 1.0), tuple("0123456789"))
    title = "MNIST"
    expected = 55_000

    def prepare(self, path: Path) -> None:
        """Write the prepared file from torchvision's."""
        by_torchvision(path, "MNIST")


class FashionMNIST(PreparedImages):
    """Clothes, (1, 28, 28) in [-1, 1]: 55,000 train, 5,000 validation, 10,000 test."""

    name = "fashion-mnist"
    spec = DataSpec((1, 28, 28), (-1.0, 1.0), CLOTHES)
    title = "Fashion-MNIST"
    expected = 55_000

    def prepare(self, path: Path) -> None:
        """Write the prepared file from torchvision's."""
        by_torchvision(path, "FashionMNIST")


dalikit_components = offer(MNIST, FashionMNIST)
