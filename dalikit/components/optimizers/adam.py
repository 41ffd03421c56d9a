"""Adam, by torch's fused kernel.

Source: Kingma and Ba 2014, "Adam: A Method for Stochastic Optimization", algorithm 1.
"""

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from dalikit.hookspecs import offer
from dalikit.interfaces import Optimizer

DALIKIT_API = 2

Beta = Annotated[float, Field(ge=0, lt=1)]


class Adam(Optimizer):
    """Adam.

    Args:
        betas: the decay of the first and of the second moment.
        eps: what is added to the root of the second.
    """

    name = "adam"

    def __init__(
        self, *, betas: tuple[Beta, Beta] = (0.5, 0.999), eps: Annotated[float, Field(gt=0)] = 1e-8
    ) -> None:
        self.betas = betas
        self.eps = eps

    def over(self, parameters: Sequence[nn.Parameter], lr: Tensor) -> torch.optim.Optimizer:
        """torch's Adam, fused where the device has that."""
        fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)
        return torch.optim.Adam(parameters, lr, self.betas, self.eps, fused=fused)


dalikit_components = offer(Adam)
