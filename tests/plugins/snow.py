"""An augmentation: noise on all that D sees, and a count of D's steps as its state."""

import torch
from torch import Tensor

from dalikit.hookspecs import offer
from dalikit.interfaces import Augmentation, DataSpec

DALIKIT_API = 2


class Snow(Augmentation):
    name = "snow"
    steps: Tensor

    def __init__(self, spec: DataSpec, /, *, level: float = 0.1) -> None:
        super().__init__()
        self.level = level
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        return x + self.level * torch.randn_like(x)

    def observe(self, real):
        self.steps += 1


dalikit_components = offer(Snow)
