"""VEEGAN: a reconstructor F, from data to codes, against mode collapse.

    min over γ, θ:  KL( q_γ(x|z) p0(z) ‖ p_θ(z|x) p(x) ) + E_z d( z, F_θ(G_γ(z)) )     (3)

The ratio is estimated by a discriminator on pairs, logistic regression between (G(z), z) and (x, F(x)); G's
loss is its logit at generated pairs. F, as in the paper's algorithm 1, gets a gradient from the
reconstruction of codes alone. The paper takes for d a squared norm, and p_θ(z|x) a Gaussian about F(x): here
d is -log q(z|x), of which the posterior `identity` makes ½‖z - F‖² plus a constant.

Source: Srivastava et al. 2017, "VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning",
section 3, algorithm 1.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from dalikit import objectives
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import (
    AdversarialGame,
    Encoder,
    Generator,
    InferringMethod,
    Iteration,
    Phase,
    PhaseLoss,
    Posterior,
    Role,
)
from dalikit.players.composed import JointDiscriminator

DALIKIT_API = 1


class VEEGAN(InferringMethod):
    """A discriminator on pairs, and a reconstructor of codes.

    The paper's loss of G is that of the game `gan` with `generator_loss=kl`.

    Args:
        weight: what the reconstruction of codes counts, in units of 1/Z.
    """

    name = "veegan"

    def __init__(
        self,
        generator: Generator,
        discriminator: JointDiscriminator,
        encoder: Encoder,
        family: Posterior,
        game: AdversarialGame,
        /,
        *,
        weight: Annotated[float, Field(ge=0)] = 1.0,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.encoder = encoder
        self.family = family
        self.game = game
        self.weight = weight

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """A generator, a discriminator on pairs, an encoder on data (F), its family, and the game."""
        return {
            "generator": Role("generator", on="z"),
            "discriminator": Role("discriminator", on="xz"),
            "encoder": Role("encoder", on="x"),
            "family": Role("posterior", on="z"),
            "game": Role("game"),
        }

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, then the joint step of generator and reconstructor."""
        return (
            objectives.discriminator_phase(self.game, self.discriminator, self.discriminator_loss),
            Phase("generator+encoder", ("generator", "encoder", "family"), self.generator_encoder_loss),
        )

    def discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of D on (x, F(x)), then (G(z), z)."""
        inferred = self._inferred(iteration.real)
        generated = self.discriminator.pairs(iteration.fake_detached, iteration.z)
        return objectives.discriminator_loss(
            self.game, self.discriminator, inferred, generated, iteration.step
        )

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of G at generated pairs, and -log q(z|G(z)) a dimension."""
        logits = self.discriminator(self.discriminator.pairs(iteration.fake, iteration.z))
        adversarial = objectives.generator_loss(
            self.game, self.discriminator, logits, lambda: self._inferred(iteration.real)
        )
        nll = -self.posterior(iteration.fake).log_prob(iteration.z).mean()
        total = adversarial + self.weight / iteration.z.shape[1] * nll
        return PhaseLoss(total, {"loss": adversarial.detach(), "nll": nll.detach()})

    @torch.no_grad()
    def _inferred(self, x: Tensor) -> Tensor:
        """Pairs (x, F(x)) (B, |X| + Z), F(x) drawn from q(z|x), without a graph."""
        return self.discriminator.pairs(x, self.posterior(x).rsample())


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [VEEGAN]
