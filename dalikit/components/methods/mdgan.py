"""Mode regularised GANs by manifold and diffusion: first reach the data's manifold, then spread over it.

    manifold:   D1 tells x from G(E(x));  G, E minimise  λ·mean (x - G(E(x)))² + the game's loss of G(E(x))
    diffusion:  D2 tells G(E(x)), as real, from G(z);  G minimises the game's loss of G(z)

Each step compares distributions that lie near each other, reconstructions and the data, then samples and
reconstructions, so that no mode of the data is out of the generator's sight. The paper's λ stands at the
game's loss instead: its λ is 1/λ here, but for the scale of the whole.

Source: Che et al. 2016, "Mode Regularized Generative Adversarial Networks", manifold-diffusion training.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from dalikit.functional.balance import Balance, Ratio, Weight
from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, Phase, PhaseLoss, Role
from dalikit.objectives import (
    INFERRING,
    Adversarial,
    Inferring,
    Playing,
    critic_loss,
    critic_phase,
    generator_loss,
    measured,
    weighted_sum,
)

DALIKIT_API = 2


class MDGAN(Inferring, Adversarial):
    """Two discriminators on data, one game for both. Only the posterior's code is trained, never its spread.

    Args:
        lam: λ, what the reconstruction counts against the game, or `balanced`, see
            `dalikit.functional.balance`.
        ratio: how hard it pulls at G(E(x)) beside the game, where λ is balanced.
    """

    name = "mdgan"
    balanced = "lam"
    deterministic = True
    diffuser: nn.Module

    def __init__(self, *, lam: Weight = 10.0, ratio: Ratio = 1.0, **players: Any) -> None:
        super().__init__(**players)
        self.lam = Balance(lam, ratio)

    @classmethod
    def roles(cls, **settings: Any) -> dict[str, Role]:
        """A generator, D1 and D2, an encoder on data, its posterior's family, and the game."""
        both = {"discriminator": Role("discriminator"), "diffuser": Role("discriminator")}
        return {"generator": Role("generator"), **both, **super().roles(**settings)}

    def phases(self) -> Sequence[Phase]:
        """The manifold's two steps, then the diffusion's two."""
        return (
            *Playing.phases(self),
            measured(Phase("manifold", ("generator", *INFERRING), self.manifold_loss), self.lam),
            critic_phase(self.game, self.diffuser, self.diffuser_loss, "diffuser"),
            Phase("diffusion", ("generator",), self.diffusion_loss),
        )

    def fake(self, iteration: Iteration) -> Tensor:
        """What D1 tells from x: G(E(x))."""
        return self.rebuilt(iteration)

    def manifold_loss(self, iteration: Iteration) -> PhaseLoss:
        """The reconstruction of x, and the game's loss of G(E(x)) against D1."""
        x = iteration.real
        again = self.generate(self.draw(iteration), iteration.labels)
        loss = self.adversarial_loss(iteration, self.critic(iteration)(again))
        reconstruction = (x - again).square().mean()
        lam = self.lam(reconstruction, loss, again)
        return weighted_sum({"reconstruction": reconstruction, "loss": loss}, reconstruction=lam)

    def diffuser_loss(self, iteration: Iteration, *, penalised: bool) -> PhaseLoss:
        """The game's loss of D2 on G(E(x)), then G(z)."""
        critic, again = self.critic(iteration, self.diffuser), self.rebuilt(iteration)
        return critic_loss(self.game, critic, again, iteration.fake_detached, penalised=penalised)

    def diffusion_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of G(z) against D2."""
        critic = self.critic(iteration, self.diffuser)
        logits, again = critic(iteration.fake), partial(self.rebuilt, iteration)
        return weighted_sum({"loss": generator_loss(self.game, critic, logits, again)})


dalikit_components = offer(MDGAN)
