"""The exponential moving average of a method: what sampling and inference use."""

import copy

import torch
from torch import Tensor

from dalikit.interfaces import Method


class Average:
    """A copy of a whole method whose parameters follow the trained ones slowly; buffers are copied.

    The average covers everything, for generating and inferring read most players, the discriminator's
    features included. Early on it follows faster: the decay at step t is min(decay, (1 + t) / (10 + t)).
    """

    def __init__(self, method: Method, decay: float) -> None:
        self.decay = decay
        self.method = copy.deepcopy(method).eval().requires_grad_(False)
        self._averaged: list[Tensor] = list(self.method.parameters())
        self._trained: list[Tensor] = list(method.parameters())
        self._buffers = list(zip(self.method.buffers(), method.buffers(), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the trained method, `step` iterations being done."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._averaged, self._trained, 1 - decay)
        for averaged, trained in self._buffers:
            averaged.copy_(trained)
