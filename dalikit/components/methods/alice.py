"""ALICE: adversarially learned inference with conditional entropy.

ALI leaves open how x and z are paired; ALICE adds the conditional entropy H(x|z) as a cycle x → z → x̂:

    explicit:     E_q(x) mean |x - G(E(x))|^k, k = 1 or 2                          (8)
    adversarial:  E_q(x) [log s(D'(x, x))] + E_q(x) [log(1 - s(D'(x, G(E(x)))))]    (9), (10)

The paper's explicit cycle sums over the values of x; their mean weighs the same on data of any size.

Source: Li et al. 2017, "ALICE: Towards Understanding Adversarial Learning for Joint Distribution Matching",
sections 3 and 4.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

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
from dalikit.players.composed import JointDiscriminator, PairDiscriminator

DALIKIT_API = 1


class ALICE(InferringMethod):
    """ALI and a cycle on data.

    Args:
        cycle: `l2` or `l1`, an explicit norm, or `adversarial`, by a second discriminator on pairs of data.
        weight: what the cycle counts.
    """

    name = "alice"

    def __init__(
        self,
        generator: Generator,
        discriminator: JointDiscriminator,
        encoder: Encoder,
        family: Posterior,
        game: AdversarialGame,
        cycle_discriminator: PairDiscriminator | None = None,
        /,
        *,
        cycle: Literal["l2", "l1", "adversarial"] = "l2",
        weight: Annotated[float, Field(ge=0)] = 1.0,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.encoder = encoder
        self.family = family
        self.game = game
        self.cycle_discriminator = cycle_discriminator
        self.cycle = cycle
        self.weight = weight

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """ALI's roles, and for the adversarial cycle a discriminator on pairs of data."""
        roles = {
            "generator": Role("generator", on="z"),
            "discriminator": Role("discriminator", on="xz"),
            "encoder": Role("encoder", on="x"),
            "family": Role("posterior", on="z"),
            "game": Role("game"),
        }
        if params["cycle"] == "adversarial":
            roles["cycle_discriminator"] = Role("discriminator", on="xx")
        return roles

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, the second one's if there is one, then that of generator and encoder."""
        phases = [objectives.discriminator_phase(self.game, self.discriminator, self.discriminator_loss)]
        if self.cycle_discriminator is not None:
            loss, role = self.cycle_discriminator_loss, "cycle_discriminator"
            phases.append(objectives.discriminator_phase(self.game, self.cycle_discriminator, loss, role))
        both = Phase("generator+encoder", ("generator", "encoder", "family"), self.generator_encoder_loss)
        return (*phases, both)

    def discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of D on (x, E(x)), then (G(z), z)."""
        with torch.no_grad():
            inferred = self.discriminator.pairs(iteration.real, self.posterior(iteration.real).rsample())
        generated = self.discriminator.pairs(iteration.fake_detached, iteration.z)
        return objectives.discriminator_loss(
            self.game, self.discriminator, inferred, generated, iteration.step
        )

    def cycle_discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of D' on (x, x), then (x, G(E(x)))."""
        critic, x = self._cycle_critic(), iteration.real
        with torch.no_grad():
            again = self.generate(self.posterior(x).rsample())
        return objectives.discriminator_loss(
            self.game, critic, critic.pairs(x, x), critic.pairs(x, again), iteration.step
        )

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """ALI's loss of both sides, and the cycle on the same draw of E(x)."""
        x, z = iteration.real, self.posterior(iteration.real).rsample()
        inferred = self.discriminator(self.discriminator.pairs(x, z))
        generated = self.discriminator(self.discriminator.pairs(iteration.fake, iteration.z))
        adversarial = self.game.joint(inferred, generated).mean()
        cycle = self._cycle(x, self.generate(z))
        total = adversarial + self.weight * cycle
        return PhaseLoss(total, {"loss": adversarial.detach(), "cycle": cycle.detach()})

    def _cycle(self, x: Tensor, again: Tensor) -> Tensor:
        if self.cycle == "adversarial":
            critic = self._cycle_critic()
            return objectives.generator_loss(
                self.game, critic, critic(critic.pairs(x, again)), lambda: critic.pairs(x, x)
            )
        apart = (again - x).flatten(1)
        return apart.square().mean() if self.cycle == "l2" else apart.abs().mean()

    def _cycle_critic(self) -> PairDiscriminator:
        assert self.cycle_discriminator is not None, "asked for by `roles` with cycle = adversarial"
        return self.cycle_discriminator


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [ALICE]
