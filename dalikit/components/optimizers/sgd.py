"""Stochastic gradient descent, with or without momentum.

Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", section 2.
"""

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from dalikit.errors import UserError
from dalikit.hookspecs import offer
from dalikit.interfaces import Optimizer

DALIKIT_API = 2


class SGD(Optimizer):
    """Gradient descent.

    Args:
        momentum: what is left of a step in the next one.
        nesterov: look ahead along it; that needs a momentum.
    """

    name = "sgd"

    def __init__(
        self, *, momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0, nesterov: bool = False
    ) -> None:
        self.momentum = momentum
        self.nesterov = nesterov
        if nesterov and not momentum:
            raise UserError("optimizer 'sgd': nesterov=true looks ahead along a momentum, which is 0")

    def over(self, parameters: Sequence[nn.Parameter], lr: Tensor) -> torch.optim.Optimizer:
        """torch's SGD."""
        return torch.optim.SGD(parameters, lr, self.momentum, nesterov=self.nesterov)


dalikit_components = offer(SGD)
