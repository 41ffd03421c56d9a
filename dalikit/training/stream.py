"""The order in which training reads its data: shuffled epochs without end, resumable in the middle of one."""

from typing import Any

import torch
from torch import Tensor

from dalikit.interfaces import Batch, Split


class BatchStream:
    """Batches of raw data from a split, each datum once an epoch, the last odd batch of one left out.

    A split smaller than a batch gives itself whole. What is drawn comes from a generator of the stream's
    own, so that the order depends on the seed alone.
    """

    def __init__(self, split: Split, batch_size: int, seed: int) -> None:
        self.split = split
        self.batch_size = min(batch_size, len(split))
        self.rng = torch.Generator().manual_seed(seed)
        self.order = torch.empty(0, dtype=torch.int64)
        self.position = 0

    @property
    def epoch(self) -> int:
        """Batches in one epoch."""
        return len(self.split) // self.batch_size

    def next(self) -> Batch:
        """The next batch: raw x (batch_size, *X), and labels where there are any."""
        if self.position + self.batch_size > len(self.order):
            self.order = torch.randperm(len(self.split), generator=self.rng)
            self.position = 0
        index = self.order[self.position : self.position + self.batch_size]
        self.position += self.batch_size
        return self.split.take(index, self.rng)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What to restore: tensors and scalars."""
        return {"rng": self.rng.get_state(), "order": self.order}, {"position": self.position}

    def load(self, tensors: dict[str, Tensor], scalars: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.rng.set_state(tensors["rng"])
        self.order = tensors["order"]
        self.position = int(scalars["position"])
