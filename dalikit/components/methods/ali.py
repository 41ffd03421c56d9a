"""Adversarially Learned Inference, and BiGAN.

min over G, E, max over D:  E_q(x) q(z|x) [log s(D(x, z))] + E_p(z) [log(1 - s(D(G(z), z)))]

One discriminator on pairs: (x, E(x)) are real, (G(z), z) generated; at its optimum the joint distributions of
encoder and generator are equal. Here the game is any; both sides of it are moved, for at the value's own
generator loss an encoder would learn nothing where D is sure.

Source: Dumoulin et al. 2016, "Adversarially Learned Inference", sections 2.2 to 2.4; Donahue et al. 2016,
"Adversarial Feature Learning" (BiGAN: the encoder deterministic), section 3.
"""

from typing import Any

from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, PhaseLoss
from dalikit.objectives import Joint, weighted_sum

DALIKIT_API = 2


class ALI(Joint):
    """A discriminator on data and codes together; the encoder has a trunk of its own.

    Args:
        deterministic: take the posterior's code for E(x), as BiGAN does, in place of a draw from it.
    """

    name = "ali"

    def __init__(self, *, deterministic: bool = False, **players: Any) -> None:
        super().__init__(**players)
        self.deterministic = deterministic
        self.needs = () if deterministic else ("rsample",)

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's joint loss of both kinds of pairs, with the updated D."""
        return weighted_sum({"loss": self.joint_loss(iteration, self.draw(iteration))})


dalikit_components = offer(ALI)
