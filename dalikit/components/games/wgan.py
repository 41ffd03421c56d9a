"""The Wasserstein game.

Value: E_q D(x) - E_p D(x) over 1-Lipschitz critics, whose maximum is the earth mover's distance.

Source: Arjovsky et al. 2017, "Wasserstein GAN" (weight clipping); Gulrajani et al. 2017, "Improved
Training of Wasserstein GANs" (gradient penalty).
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dalikit.functional.penalties import gradient_penalty
from dalikit.functional.several import sum_over_samples
from dalikit.hookspecs import offer
from dalikit.interfaces import AdversarialGame, Critic

DALIKIT_API = 2


class WGAN(AdversarialGame):
    """The Wasserstein game, its critic kept Lipschitz by a gradient penalty or by clipping its weights.

    Args:
        lipschitz: `penalty` (2017, improved) or `clip` (2017, original).
        weight: the penalty's factor.
        clip: the bound on every weight of the critic.
        discriminator_steps: critic steps for each generator step; both papers take 5.
    """

    name = "wgan"

    def __init__(
        self,
        *,
        lipschitz: Literal["penalty", "clip"] = "penalty",
        weight: Annotated[float, Field(ge=0)] = 10.0,
        clip: Annotated[float, Field(gt=0)] = 0.01,
        discriminator_steps: Annotated[int, Field(ge=1, le=1000)] = 5,
    ) -> None:
        self.lipschitz = lipschitz
        self.weight = weight
        self.clip = clip
        self.penalised = lipschitz == "penalty"
        self.discriminator_steps = discriminator_steps

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """D(x̃) - D(x)."""
        return sum_over_samples(fake, len(real)) - real

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """-D(x̃)."""
        return -fake

    def penalty(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """weight · (‖∇ D(x̂)‖ - 1)² between real and generated data."""
        return self.weight * gradient_penalty(critic, real, fake)

    def project(self, discriminator: nn.Module) -> None:
        """Clip every weight of the critic to [-clip, clip], where that was chosen."""
        if self.lipschitz == "clip":
            with torch.no_grad():
                for parameter in discriminator.parameters():
                    parameter.clamp_(-self.clip, self.clip)


dalikit_components = offer(WGAN)
