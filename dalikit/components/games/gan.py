"""The logistic game of the original GAN.

Value: V = E_q log s(D(x)) + E_p log(1 - s(D(x))), s the logistic function; at the optimal discriminator
D* = log q/p it is 2·JSD(q, p) - log 4.

Source: Goodfellow et al. 2014, "Generative Adversarial Nets", section 3.
"""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus

from dalikit.functional.penalties import zero_centred_penalty
from dalikit.functional.schedules import Schedule, ScheduleLike, schedule
from dalikit.functional.several import sum_over_samples
from dalikit.hookspecs import offer
from dalikit.interfaces import AdversarialGame, Critic

DALIKIT_API = 2


class GAN(AdversarialGame):
    """The GAN game, with a choice of the generator's loss.

    `nonsaturating`: -log s(D), at D* equal to E_p log(1 + p/q). `saturating`: log(1 - s(D)), the value
    function itself. `kl`: -D, at D* equal to KL(p‖q), which is term (I) of DALI's objective (5).

    Args:
        generator_loss: one of the three.
        r1: the weight γ of the zero-centred penalty γ/2·‖∇ D(x)‖² at real data (Mescheder et al. 2018).
        r1_schedule: of that weight over the training.
        penalty_every: compute that penalty in every n-th iteration only, n times as heavy.
    """

    name = "gan"

    def __init__(
        self,
        *,
        generator_loss: Literal["nonsaturating", "saturating", "kl"] = "nonsaturating",
        r1: Annotated[float, Field(ge=0)] = 0.0,
        r1_schedule: ScheduleLike = Schedule(),  # noqa: B008 - frozen
        penalty_every: Annotated[int, Field(ge=1)] = 1,
    ) -> None:
        self.form = generator_loss
        self.r1 = r1
        self.r1_schedule = schedule(r1_schedule)
        self.penalised = r1 > 0
        self.penalty_every = penalty_every

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """-log s(D(x)) - log(1 - s(D(x̃))), in logits so that it cannot overflow."""
        return softplus(-real) + sum_over_samples(softplus(fake), len(real))

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The loss chosen, on the logits of generated data."""
        if self.form == "nonsaturating":
            return softplus(-fake)
        return -softplus(fake) if self.form == "saturating" else -fake

    def penalty(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """½ r1 ‖∇ D(x)‖² at real data."""
        return self.r1 * self.r1_schedule.factor(self.progress) * zero_centred_penalty(critic, real)


dalikit_components = offer(GAN)
