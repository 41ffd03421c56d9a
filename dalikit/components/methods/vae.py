"""The variational autoencoder, with a Gaussian decoder.

    max over G, E:  E_q(z|x) [log p(x|z)] - KL( q(z|x) ‖ N(0, I) ),   p(x|z) = N(G(z), σ² I)

Divided by the number of values of x and by 1/σ², what is minimised is ½ mean (x - G(z))² + β KL, with
β = σ² / |X|.

Source: Kingma and Welling 2013, "Auto-Encoding Variational Bayes", equations (3) and (10).
"""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from dalikit.functional.divergences import kl_to_standard_normal
from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, Phase, PhaseLoss
from dalikit.objectives import INFERRING, Inferring, weighted_sum

DALIKIT_API = 2


class VAE(Inferring):
    """An encoder with a trunk of its own, and the generator as the decoder's mean.

    Args:
        sigma: the decoder's standard deviation, in the data's units.
    """

    name = "vae"
    needs = ("rsample", "log_prob", "mean")

    def __init__(self, *, sigma: Annotated[float, Field(gt=0)] = 0.3, **players: Any) -> None:
        super().__init__(**players)
        self.sigma = sigma

    def phases(self) -> Sequence[Phase]:
        """One joint step."""
        return (Phase("vae", ("generator", *INFERRING), self.loss),)

    def loss(self, iteration: Iteration) -> PhaseLoss:
        """The negative evidence lower bound a value of x, times σ², less its constants."""
        x, y = iteration.real, iteration.labels
        posterior = self.posterior(x, y)
        again = self.generate(posterior.rsample(), y)
        reconstruction = 0.5 * (again - x).square().mean()
        kl = kl_to_standard_normal(posterior).mean()
        return weighted_sum({"reconstruction": reconstruction, "kl": kl}, kl=self.sigma**2 / x[0].numel())


dalikit_components = offer(VAE)
