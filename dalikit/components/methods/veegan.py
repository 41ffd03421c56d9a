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
from typing import Any

from dalikit.functional.balance import Balance, Ratio, Weight
from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, Phase, PhaseLoss
from dalikit.objectives import Joint, measured, weighted_sum

DALIKIT_API = 2


class VEEGAN(Joint):
    """A discriminator on pairs, and a reconstructor of codes.

    The paper's loss of G is that of the game `gan` with `generator_loss=kl`.

    Args:
        weight: what the reconstruction of codes counts, in units of 1/Z; or `balanced`, see
            `dalikit.functional.balance`.
        ratio: how hard it pulls at G(z) beside the game, where it is balanced.
    """

    name = "veegan"
    balanced = "weight"
    needs = ("rsample", "log_prob")

    def __init__(self, *, weight: Weight = 1.0, ratio: Ratio = 1.0, **players: Any) -> None:
        super().__init__(**players)
        self.weight = Balance(weight, ratio)

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, and the joint one."""
        discriminator, both = super().phases()
        return discriminator, measured(both, self.weight)

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of G at generated pairs, and -log q(z|G(z)) a dimension."""
        fake, z = iteration.fake, iteration.z
        logits = self.critic(iteration)(self.discriminator.pairs(fake, z))
        adversarial = self.adversarial_loss(iteration, logits)
        nll = -self.posterior(fake, iteration.labels).log_prob(z).mean()
        weight = self.weight(nll / self.latent_size, adversarial, fake)
        return weighted_sum({"loss": adversarial, "nll": nll}, nll=weight / self.latent_size)


dalikit_components = offer(VEEGAN)
