"""ALICE: adversarially learned inference with conditional entropy.

ALI leaves open how x and z are paired; ALICE adds the conditional entropy H(x|z) as a cycle x → z → x̂:

    explicit:     E_q(x) mean |x - G(E(x))|^k, k = 1 or 2                          (8)
    adversarial:  E_q(x) [log s(D'(x, x))] + E_q(x) [log(1 - s(D'(x, G(E(x)))))]    (9), (10)

The paper's explicit cycle sums over the values of x; their mean weighs the same on data of any size.

Source: Li et al. 2017, "ALICE: Towards Understanding Adversarial Learning for Joint Distribution Matching",
sections 3 and 4.
"""

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor

from dalikit.functional.balance import Balance, Ratio, Weight
from dalikit.hookspecs import offer
from dalikit.interfaces import Critic, Iteration, Phase, PhaseLoss, Role
from dalikit.objectives import Joint, critic_loss, critic_phase, generator_loss, measured, weighted_sum
from dalikit.players import PairDiscriminator

DALIKIT_API = 2


class ALICE(Joint):
    """ALI's game and a cycle on data.

    Args:
        cycle: `l2` or `l1`, an explicit norm, or `adversarial`, by a second discriminator on pairs of data.
        weight: what the cycle counts, or `balanced`, see `dalikit.functional.balance`.
        ratio: how hard it pulls at G(E(x)) beside the game at G(z), where it is balanced.
    """

    name = "alice"
    balanced = "weight"
    needs = ("rsample",)
    cycle_discriminator: PairDiscriminator

    def __init__(
        self,
        *,
        cycle: Literal["l2", "l1", "adversarial"] = "l2",
        weight: Weight = 1.0,
        ratio: Ratio = 1.0,
        **players: Any,
    ) -> None:
        super().__init__(**players)
        self.cycle = cycle
        self.weight = Balance(weight, ratio)

    @classmethod
    def roles(cls, **settings: Any) -> dict[str, Role]:
        """ALI's roles, and for the adversarial cycle a discriminator on pairs of data."""
        adversarial = settings["cycle"] == "adversarial"
        pairs = {"cycle_discriminator": Role("discriminator", reads="xx")} if adversarial else {}
        return {**super().roles(**settings), **pairs}

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, the second one's if there is one, then that of generator and encoder."""
        first, joint = super().phases()
        both = measured(joint, self.weight)
        if self.cycle != "adversarial":
            return first, both
        loss, role = self.cycle_discriminator_loss, "cycle_discriminator"
        return first, critic_phase(self.game, self.cycle_discriminator, loss, role), both

    def cycle_discriminator_loss(self, iteration: Iteration, *, penalised: bool) -> PhaseLoss:
        """The game's loss of D' on (x, x), then (x, G(E(x)))."""
        x, pairs = iteration.real, self.cycle_discriminator.pairs
        again = pairs(x, self.rebuilt(iteration))
        return critic_loss(self.game, self._cycle_critic(iteration), pairs(x, x), again, penalised=penalised)

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """ALI's loss of both sides, and the cycle on the same draw of E(x)."""
        z = self.draw(iteration)
        adversarial = self.joint_loss(iteration, z)
        again = self.generate(z, iteration.labels)
        cycle = self._cycle(iteration, again)
        weight = self.weight(cycle, adversarial, again, iteration.fake)
        return weighted_sum({"loss": adversarial, "cycle": cycle}, cycle=weight)

    def _cycle(self, iteration: Iteration, again: Tensor) -> Tensor:
        x = iteration.real
        if self.cycle == "adversarial":
            critic, pairs = self._cycle_critic(iteration), self.cycle_discriminator.pairs
            return generator_loss(self.game, critic, critic(pairs(x, again)), lambda: pairs(x, x))
        apart = (again - x).flatten(1)
        return apart.square().mean() if self.cycle == "l2" else apart.abs().mean()

    def _cycle_critic(self, iteration: Iteration) -> Critic:
        """D' under the batch's labels; it sees pairs of data as they are, for it judges their likeness."""
        return lambda pairs: self.cycle_discriminator(pairs, *self.given(iteration.labels, len(pairs)))


dalikit_components = offer(ALICE)
