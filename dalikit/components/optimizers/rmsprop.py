"""RMSprop: steps divided by the root of a running mean of squared gradients.

Source: Tieleman and Hinton 2012, "Neural Networks for Machine Learning", lecture 6.5.
"""

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from dalikit.hookspecs import offer
from dalikit.interfaces import Optimizer

DALIKIT_API = 2

Decay = Annotated[float, Field(ge=0, lt=1)]


class RMSprop(Optimizer):
    """RMSprop, with which the first Wasserstein GAN was trained.

    Args:
        alpha: the decay of the running mean.
        momentum: what is left of a step in the next one.
        eps: what is added to the root.
    """

    name = "rmsprop"

    def __init__(
        self, *, alpha: Decay = 0.99, momentum: Decay = 0.0, eps: Annotated[float, Field(gt=0)] = 1e-8
    ) -> None:
        self.alpha = alpha
        self.momentum = momentum
        self.eps = eps

    def over(self, parameters: Sequence[nn.Parameter], lr: Tensor) -> torch.optim.Optimizer:
        """torch's RMSprop."""
        return torch.optim.RMSprop(parameters, lr, self.alpha, self.eps, momentum=self.momentum)


dalikit_components = offer(RMSprop)
