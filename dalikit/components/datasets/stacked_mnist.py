"""Stacked MNIST: three random digits as the channels of one image, which makes 1,000 modes.

Source: Metz et al. 2016, "Unrolled Generative Adversarial Networks", section 3.3.1; counted as in Srivastava
et al. 2017, "VEEGAN", table 2.
"""

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dalikit.data import prepared
from dalikit.data.downloads import by_torchvision
from dalikit.data.images import check_labels
from dalikit.data.official import is_official
from dalikit.errors import UserError
from dalikit.hookspecs import offer
from dalikit.interfaces import Batch, Dataset, DataSpec, Part, Split, Stamp

DALIKIT_API = 2

HELD_OUT = 5000
FILE = "mnist.npz"


class StackedSplit(Split):
    """An endless source of triples of digits; as many as there are digits count as one epoch."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self._images = torch.from_numpy(images)
        self._labels = torch.from_numpy(labels).long()

    def __len__(self) -> int:
        return len(self._images)

    def take(self, index: Tensor, rng: torch.Generator) -> Batch:
        """As many fresh images (n, 3, 28, 28) as there are indices, and their modes.

        A mode is the three digits read as a number, 0 to 999.
        """
        triples = torch.randint(len(self._images), (len(index), 3), generator=rng)
        return Batch(self._images[triples], (self._labels[triples] * torch.tensor([100, 10, 1])).sum(1))

    def class_counts(self, classes: int) -> Tensor:
        """How frequent each of the 1,000 modes is, in proportion: digits are drawn independently."""
        ones = torch.bincount(self._labels, minlength=10)
        return (ones[:, None, None] * ones[:, None] * ones).flatten()

    def stamp(self) -> Stamp:
        """Of the digits that are drawn from, and their labels."""
        return Stamp.of_data(len(self), lambda index: Batch(self._images[index], self._labels[index]))


class StackedMNIST(Dataset):
    """(3, 28, 28) in [-1, 1], the digits drawn anew for every image."""

    name = "stacked-mnist"
    spec = DataSpec((3, 28, 28), (-1.0, 1.0), tuple(f"{mode:03d}" for mode in range(1000)))

    def __init__(self, root: Path | None = None, /) -> None:
        self.root = root or prepared.data_root()

    @property
    def train_count(self) -> int:  # type: ignore[override]
        """As many digits as `FILE` has to train on, by its head; MNIST's where it is not there yet."""
        path = self.root / FILE
        shape = prepared.shapes(path).get("train_images", ((), None))[0] if path.exists() else ()
        return (shape[0] if shape else 60_000) - HELD_OUT

    @cached_property
    def preparation(self) -> str:  # type: ignore[override]  # read only, and read late
        """Of which digits images are made, counted; MNIST is what is known by its content."""
        digits = (
            "MNIST digits" if is_official("mnist", self.stamp) else f"images of {FILE}, which are not MNIST,"
        )
        train, validation, test = (f"{stamp.count:,}" for stamp in self.stamp.values())
        return (
            f"three {digits} drawn independently, uniformly, as the channels of each image, 28×28, scaled to "
            f"[-1, 1]; train, validation and test draw from {train}, {validation} and {test} digits"
        )

    def split(self, part: Part) -> StackedSplit:
        """Fresh triples of the part's digits."""
        source = "test" if part == "test" else "train"
        images, labels = (self._arrays[f"{source}_{kind}"] for kind in ("images", "labels"))
        spans = {"train": slice(0, -HELD_OUT), "validation": slice(-HELD_OUT, None), "test": slice(None)}
        return StackedSplit(images[spans[part]], labels[spans[part]])

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        path = self.root / FILE
        if not path.exists():
            by_torchvision(path, "MNIST")
        arrays = prepared.read(path)
        for part, least in (("train", HELD_OUT + 1), ("test", 1)):
            _check(path, part, arrays, least)
        return arrays


def _check(path: Path, part: str, arrays: dict[str, np.ndarray], least: int) -> None:
    """Raise `UserError` unless the part has grey images of 28×28, `least` of them, and all have labels."""
    images, labels = arrays.get(f"{part}_images"), arrays.get(f"{part}_labels")
    if images is None or labels is None:
        raise UserError(f"Data file {path} lacks {part}_images or {part}_labels, which stacked-mnist needs")
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28) or len(images) < least:
        raise UserError(
            f"Data file {path}: {part}_images are {images.dtype} {images.shape}, uint8 (N, 28, 28) with N "
            f"from {least:,} is needed"
        )
    check_labels(path, f"{part}_labels", images, labels)


dalikit_components = offer(StackedMNIST)
