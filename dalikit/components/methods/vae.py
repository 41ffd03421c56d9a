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
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import (
    Encoder,
    Generator,
    InferringMethod,
    Iteration,
    Phase,
    PhaseLoss,
    Posterior,
    Role,
)

DALIKIT_API = 1


class VAE(InferringMethod):
    """An encoder with a trunk of its own, and the generator as the decoder's mean.

    Args:
        sigma: the decoder's standard deviation, in the data's units.
    """

    name = "vae"

    def __init__(
        self,
        generator: Generator,
        encoder: Encoder,
        family: Posterior,
        /,
        *,
        sigma: Annotated[float, Field(gt=0)] = 0.3,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.encoder = encoder
        self.family = family
        self.sigma = sigma

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """A generator, an encoder on data, and its posterior's family."""
        return {
            "generator": Role("generator", on="z"),
            "encoder": Role("encoder", on="x"),
            "family": Role("posterior", on="z"),
        }

    def phases(self) -> Sequence[Phase]:
        """One joint step."""
        return (Phase("vae", ("generator", "encoder", "family"), self.loss),)

    def loss(self, iteration: Iteration) -> PhaseLoss:
        """The negative evidence lower bound a value of x, times σ², less its constants."""
        x = iteration.real
        posterior = self.posterior(x)
        again = self.generate(posterior.rsample())
        reconstruction = 0.5 * (again - x).square().mean()
        kl = kl_to_standard_normal(posterior).mean()
        total = reconstruction + self.sigma**2 / x[0].numel() * kl
        return PhaseLoss(total, {"reconstruction": reconstruction.detach(), "kl": kl.detach()})


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [VAE]
