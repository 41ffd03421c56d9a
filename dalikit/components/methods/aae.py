"""Adversarial autoencoders: an autoencoder whose codes, taken together, an adversary shapes into the prior.

    reconstruction:  E, G minimise  λ·mean (x - G(z))²,  z ~ q(z|x)
    regularisation:  D plays the game on codes, prior draws being real, z ~ q(z|x) generated; then E does

The game sees the aggregated posterior q(z) = E_x q(z|x), where a variational autoencoder's KL sees each
q(z|x) by itself.

Source: Makhzani et al. 2015, "Adversarial Autoencoders", section 2.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, Phase, PhaseLoss
from dalikit.objectives import INFERRING, Inferring, Playing, weighted_sum

DALIKIT_API = 2


class AAE(Inferring, Playing):
    """An autoencoder, its decoder being the generator, and a discriminator on codes; any game.

    Args:
        lam: λ. The paper's phases have an optimizer each; here two share the encoder's, in which the larger
            gradient rules.
        deterministic: take the posterior's code for z, the paper's first choice, in place of a draw from it.
    """

    name = "aae"
    judges = "z"

    def __init__(
        self, *, lam: Annotated[float, Field(gt=0)] = 1.0, deterministic: bool = False, **players: Any
    ) -> None:
        super().__init__(**players)
        self.lam = lam
        self.deterministic = deterministic
        self.needs = () if deterministic else ("rsample",)

    def phases(self) -> Sequence[Phase]:
        """The autoencoder's step, the discriminator's, the encoder's."""
        return (
            Phase("autoencoder", ("generator", *INFERRING), self.reconstruction_loss),
            *Playing.phases(self),
            Phase("encoder", INFERRING, self.encoder_loss),
        )

    def reconstruction_loss(self, iteration: Iteration) -> PhaseLoss:
        """λ times the mean squared error of G(z) against x."""
        again = self.generate(self.draw(iteration), iteration.labels)
        return weighted_sum({"loss": (again - iteration.real).square().mean()}, loss=self.lam)

    def real(self, iteration: Iteration) -> Tensor:
        """Codes of the prior."""
        return iteration.z

    @torch.no_grad()
    def fake(self, iteration: Iteration) -> Tensor:
        """Inferred codes."""
        return self.draw(iteration)

    def encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of E, which generates codes, with the updated D."""
        logits = self.discriminator(self.draw(iteration))
        return weighted_sum({"loss": self.adversarial_loss(iteration, logits)})


dalikit_components = offer(AAE)
