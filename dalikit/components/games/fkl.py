"""The f-GAN game of the KL divergence: DALI-f.

Value (8): V = E_q D(x) - E_p exp(D(x) - 1); at its maximum D* = 1 + log q/p it is KL(q‖p). The generator
minimises -E_p D(x) instead, which at D* is KL(p‖q) - 1: term (I) of the objective (5).

Source: DALI, section 3.4, equation (8); Nowozin et al. 2016, "f-GAN", table 6.
"""

import torch
from torch import Tensor

from dalikit.functional.several import sum_over_samples
from dalikit.hookspecs import offer
from dalikit.interfaces import AdversarialGame

DALIKIT_API = 2


class FKL(AdversarialGame):
    """The KL game. Its logits are the discriminator's output as it is, with no sigmoid anywhere."""

    name = "fkl"

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """-D(x) + exp(D(x̃) - 1)."""
        return -real + sum_over_samples(torch.exp(fake - 1), len(real))

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """-D(x̃)."""
        return -fake


dalikit_components = offer(FKL)
