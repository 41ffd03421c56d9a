"""The UCI handwritten digits that ship inside scikit-learn: 1,797 grey images of 8×8, nothing to download.

Source: Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository, doi:10.24432/C50P49.
"""

from functools import cached_property

import numpy as np
import torch

from dalikit.hookspecs import offer
from dalikit.interfaces import Dataset, DataSpec, Part, TensorSplit

DALIKIT_API = 2


class Digits(Dataset):
    """8×8 digits in [-1, 1], shape (1, 8, 8), in a fixed, stratified split."""

    name = "digits"
    train_count = 1293
    spec = DataSpec((1, 8, 8), (-1.0, 1.0), tuple("0123456789"))
    latent_size = 16

    @cached_property
    def preparation(self) -> str:  # type: ignore[override]  # read only, and read late
        """What is made of scikit-learn's digits, counted."""
        count = {part: f"{len(labels):,}" for part, (_, labels) in self._parts.items()}
        return (
            "scikit-learn load_digits: 16 grey levels scaled to uint8, then to [-1, 1]; train_test_split "
            f"with random_state=0, stratified by digit: 20 % test ({count['test']}), of the rest 10 % "
            f"validation ({count['validation']}), {count['train']} train"
        )

    def split(self, part: Part) -> TensorSplit:
        """The part as uint8 (N, 1, 8, 8)."""
        return TensorSplit(*self._parts[part])

    @cached_property
    def _parts(self) -> dict[Part, tuple[torch.Tensor, torch.Tensor]]:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        digits = load_digits()
        pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None]
        rest, test, rest_labels, test_labels = train_test_split(
            pixels, digits.target, test_size=0.2, random_state=0, stratify=digits.target
        )
        train, validation, train_labels, validation_labels = train_test_split(
            rest, rest_labels, test_size=0.1, random_state=0, stratify=rest_labels
        )
        parts: dict[Part, tuple[np.ndarray, np.ndarray]] = {
            "train": (train, train_labels),
            "validation": (validation, validation_labels),
            "test": (test, test_labels),
        }
        return {
            part: (torch.from_numpy(images), torch.from_numpy(labels).long())
            for part, (images, labels) in parts.items()
        }


dalikit_components = offer(Digits)
