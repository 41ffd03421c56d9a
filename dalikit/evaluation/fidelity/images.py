"""Images as torch-fidelity reads them: data sets of uint8 (C, H, W)."""

import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from dalikit.functional.ranges import to_uint8
from dalikit.interfaces import Dataset, Part


class TensorImages(TorchDataset[Tensor]):
    """uint8 images (N, C, H, W) that are in memory."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Tensor:
        return self.images[i]


class PartImages(TorchDataset[Tensor]):
    """One part of a data set as uint8 images, read when they are asked for: it may not fit into memory."""

    def __init__(self, dataset: Dataset, part: Part) -> None:
        self.dataset = dataset
        self.split = dataset.split(part)
        self.rng = torch.Generator()

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, i: int) -> Tensor:
        return self.__getitems__([i])[0]

    def __getitems__(self, chosen: list[int]) -> list[Tensor]:
        """A whole batch at once; what is random in it depends on where it starts alone."""
        raw = self.split.take(torch.tensor(chosen), self.rng.manual_seed(chosen[0])).x
        return list(to_uint8(self.dataset.scale(raw), self.dataset.spec.value_range or (0.0, 1.0)))
