"""A plain GAN on DALI's own generator and discriminator: the paper's baseline.

Source: Goodfellow et al. 2014, "Generative Adversarial Nets", Algorithm 1; DALI, section 4.1, whose "GAN"
row has the generator and the discriminator of its DALI row.
"""

from collections.abc import Sequence

from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, Phase, PhaseLoss
from dalikit.objectives import Adversarial, weighted_sum

DALIKIT_API = 2


class PlainGAN(Adversarial):
    """A generator and a discriminator, playing any game on x. It cannot infer."""

    name = "gan"

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, then the generator's."""
        return *super().phases(), Phase("generator", ("generator",), self.generator_loss)

    def generator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of G, with the updated D."""
        logits = self.critic(iteration)(iteration.fake)
        return weighted_sum({"loss": self.adversarial_loss(iteration, logits)})


dalikit_components = offer(PlainGAN)
