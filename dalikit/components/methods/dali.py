"""Decomposed Adversarial Learned Inference.

min over G, E, max over D:  V(G, D) + λ E_z[-log q(z | G(z))]                                     (10)

Algorithm 1, alternating: a step of D on (real, then generated) data; then one joint step of G and E on the
generator's loss plus λ·NLL, with the updated D. The encoder reads D's features; the NLL's gradient flows
through them to G, and never into them.

Source: "Decomposed Adversarial Learned Inference", sections 3.4 and 3.5, Algorithm 1.
"""

from collections.abc import Sequence
from typing import Any

from dalikit.functional.balance import Balance, Ratio, Weight
from dalikit.functional.schedules import Schedule, ScheduleLike, schedule
from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, Phase, PhaseLoss
from dalikit.objectives import Adversarial, Inferring, measured, weighted_sum

DALIKIT_API = 2


class DALI(Inferring, Adversarial):
    """DALI, with any game on x and any posterior over z.

    Args:
        lam: λ in units of 1/Z, 1 being the paper's λ = 1/d; `balanced` sets itself, see
            `dalikit.functional.balance`.
        ratio: how hard the NLL pulls at x̃ beside the game, where λ is balanced.
        lam_schedule: of λ over the training.
        share_features: whether the encoder reads D's features (the paper's choice) or x itself, through
            a trunk of its own.
    """

    name = "dali"
    needs = ("log_prob",)
    balanced = "lam"

    def __init__(
        self,
        *,
        lam: Weight = "balanced",
        ratio: Ratio = 1.0,
        lam_schedule: ScheduleLike = Schedule(),  # noqa: B008 - frozen
        share_features: bool = True,
        **players: Any,
    ) -> None:
        super().__init__(**players)
        self.lam = Balance(lam, ratio)
        self.lam_schedule = schedule(lam_schedule)
        self.share_features = share_features

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, and the joint one."""
        discriminator, both = super().phases()
        return discriminator, measured(both, self.lam)

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """L_rec = L_g + L_e of Algorithm 1, both from one pass through the features."""
        fake, y, z = iteration.fake, iteration.labels, iteration.z
        logits, h = self.judged(fake, y)
        adversarial = self.adversarial_loss(iteration, logits)
        nll = -self.inferred(h if self.share_features else fake, y).log_prob(z).mean()
        lam = self.lam(nll / self.latent_size, adversarial, fake)
        lam = lam * self.lam_schedule.factor(self.progress)
        return weighted_sum({"loss": adversarial, "nll": nll}, nll=lam / self.latent_size)


dalikit_components = offer(DALI)
