"""InfoGAN with continuous codes: a GAN that must keep part of z readable in what it generates.

    min over G, Q, max over D:  V(D, G) - λ L_I(G, Q),   L_I = E_z [ log Q(c | G(z)) ] + H(c)              (6)

The first `codes` entries of z are the code c, the others noise; L_I is a lower bound of the mutual
information of c and G(z), H(c) a constant. Q is a Gaussian with independent entries on D's features: in the
paper D and Q share all layers but the last. There L_I moves those layers too; here it moves G and Q's own
alone, as in DALI. The paper draws continuous codes uniformly; here they are normal, like all of z.

Source: Chen et al. 2016, "InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
Adversarial Nets", sections 4 to 6.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from dalikit.errors import UnfitError
from dalikit.functional.balance import Balance, Ratio, Weight
from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, Phase, PhaseLoss
from dalikit.objectives import Adversarial, Inferring, measured, weighted_sum

DALIKIT_API = 2


class InfoGAN(Inferring, Adversarial):
    """A GAN with any game, and Q with the mean and the spread of any posterior's first entries.

    Args:
        codes: how many entries of z are the code.
        lam: λ in units of 1/codes, or `balanced`, see `dalikit.functional.balance`.
        ratio: how hard -log Q pulls at G(z) beside the game, where λ is balanced.

    Raises:
        UnfitError: z has fewer entries than `codes`.
    """

    name = "infogan"
    balanced = "lam"
    needs = ("mean", "stddev")
    share_features = True

    def __init__(
        self,
        *,
        codes: Annotated[int, Field(ge=1, le=65_536)] = 2,
        lam: Weight = 0.1,
        ratio: Ratio = 1.0,
        **players: Any,
    ) -> None:
        super().__init__(**players)
        if codes > self.latent_size:
            raise UnfitError(f"method 'infogan': codes={codes}, but z has {self.latent_size} entries")
        self.codes = codes
        self.lam = Balance(lam, ratio)

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, and the joint one."""
        discriminator, both = super().phases()
        return discriminator, measured(both, self.lam)

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of G, and λ times -log Q(c | G(z))."""
        logits, h = self.judged(iteration.fake, iteration.labels)
        adversarial = self.adversarial_loss(iteration, logits)
        q = super().inferred(h, iteration.labels)
        own = Normal(q.mean[:, : self.codes], q.stddev[:, : self.codes], validate_args=False)
        nll = -own.log_prob(iteration.z[:, : self.codes]).sum(1).mean()
        lam = self.lam(nll / self.codes, adversarial, iteration.fake)
        return weighted_sum({"loss": adversarial, "nll": nll}, nll=lam / self.codes)

    def inferred(self, h: Tensor, y: Tensor | None) -> Distribution:
        """q(z|x): Q on the code, and on the noise, which nobody reads, the prior."""
        q = super().inferred(h, y)
        coded = torch.arange(self.latent_size, device=h.device) < self.codes
        mean, spread = torch.where(coded, q.mean, 0.0), torch.where(coded, q.stddev, 1.0)
        return Independent(Normal(mean, spread, validate_args=False), 1, validate_args=False)

    def code(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The mean of q(z|x), 0 in the noise."""
        return self.posterior(x, y).mean


dalikit_components = offer(InfoGAN)
