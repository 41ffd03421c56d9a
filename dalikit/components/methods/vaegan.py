"""VAE/GAN: a variational autoencoder whose reconstruction is measured in a discriminator's features.

    L_prior = KL( q(z|x) ‖ N(0, I) )                                                             (4)
    L_like  = E_q(z|x) ½‖Dis_l(x) - Dis_l(G(z))‖²                                                 (7)
    L_GAN   = the game, between x and both G(z), z ~ p(z), and G(z), z ~ q(z|x)                   (8)

The encoder minimises L_prior + L_like, the decoder γ·L_like and the game's loss, the discriminator its own.
They alternate, where the paper updates all from one pass. Samples and reconstructions count half each in the
game, which the paper adds up: real and generated data weigh the same with any game.

Source: Larsen et al. 2016, "Autoencoding beyond pixels using a learned similarity metric", section 2.3 and
algorithm 1.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from dalikit.functional.balance import Balance, Ratio, Weight
from dalikit.functional.divergences import kl_to_standard_normal
from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, Phase, PhaseLoss
from dalikit.objectives import INFERRING, Adversarial, Inferring, Playing, critic_loss, measured, weighted_sum

DALIKIT_API = 2


class VAEGAN(Inferring, Adversarial):
    """Larsen's three players; the encoder has a trunk of its own, as in the paper.

    Args:
        beta: what the prior counts against the features' reconstruction, both a mean over their dimensions.
        gamma: what that reconstruction counts for the decoder against the game, or `balanced`, see
            `dalikit.functional.balance`.
        ratio: how hard it pulls at reconstructions beside the game there, where gamma is balanced.
    """

    name = "vaegan"
    balanced = "gamma"
    needs = ("rsample", "log_prob", "mean")

    def __init__(
        self,
        *,
        beta: Annotated[float, Field(ge=0)] = 0.01,
        gamma: Weight = 1.0,
        ratio: Ratio = 1.0,
        **players: Any,
    ) -> None:
        super().__init__(**players)
        self.beta = beta
        self.gamma = Balance(gamma, ratio)

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, the encoder's, the generator's."""
        return (
            *Playing.phases(self),
            Phase("encoder", INFERRING, self.encoder_loss),
            measured(Phase("generator", ("generator",), self.generator_loss), self.gamma),
        )

    def discriminator_loss(self, iteration: Iteration, *, penalised: bool) -> PhaseLoss:
        """The game's loss of D on x, and the mean of those on samples and on reconstructions."""
        x, critic = iteration.real, self.critic(iteration)
        rebuilt = self.rebuilt(iteration)
        play = partial(critic_loss, self.game, critic, x, penalised=penalised)
        sampled, again = play(iteration.fake_detached, observe=self.observe), play(rebuilt)
        terms = {name: (sampled.terms[name] + again.terms[name]) / 2 for name in sampled.terms}
        return PhaseLoss((sampled.total + again.total) / 2, terms)

    def encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """L_prior and L_like."""
        x, y = iteration.real, iteration.labels
        posterior = self.posterior(x, y)
        like = self._apart(x, self.generate(posterior.rsample(), y))
        prior = kl_to_standard_normal(posterior).mean() / self.latent_size
        return weighted_sum({"features": like, "kl": prior}, kl=self.beta)

    def generator_loss(self, iteration: Iteration) -> PhaseLoss:
        """L_like, and the game's loss of samples and of reconstructions."""
        x, y, critic = iteration.real, iteration.labels, self.critic(iteration)
        with torch.no_grad():
            z = self.posterior(x, y).rsample()
        again = self.generate(z, y)
        sampled = self.adversarial_loss(iteration, critic(iteration.fake))
        rebuilt = self.adversarial_loss(iteration, critic(again))
        like, game = self._apart(x, again), (sampled + rebuilt) / 2
        return weighted_sum({"features": like, "loss": game}, features=self.gamma(like, game, again))

    def _apart(self, x: Tensor, again: Tensor) -> Tensor:
        features = self.discriminator.trunk
        return 0.5 * (features(x) - features(again)).square().mean()


dalikit_components = offer(VAEGAN)
