"""Adam with decoupled weight decay, by torch's fused kernel.

Source: Loshchilov and Hutter 2017, "Decoupled Weight Decay Regularization", algorithm 2.
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


class AdamW(Optimizer):
    """AdamW.

    Args:
        betas: the decay of the first and of the second moment.
        eps: what is added to the root of the second.
        weight_decay: the share of each parameter that goes with a step, in units of the rate.
    """

    name = "adamw"

    def __init__(
        self,
        *,
        betas: tuple[Beta, Beta] = (0.5, 0.999),
        eps: Annotated[float, Field(gt=0)] = 1e-8,
        weight_decay: Annotated[float, Field(ge=0)] = 0.01,
    ) -> None:
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay

    def over(self, parameters: Sequence[nn.Parameter], lr: Tensor) -> torch.optim.Optimizer:
        """torch's AdamW, fused where the device has that."""
        fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)
        return torch.optim.AdamW(parameters, lr, self.betas, self.eps, self.weight_decay, fused=fused)


dalikit_components = offer(AdamW)
