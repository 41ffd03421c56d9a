"""Adversarial generator-encoder networks: a generator and an encoder, and no third player.

Δ(c) is the divergence of a batch of codes c (B, Z) from the prior, by a Gaussian with their moments:

    Δ(c) = KL( N(m, diag s²) ‖ N(0, I) ) = ½ Σ_j (s_j² + m_j² - 1 - log s_j²)

    E minimises  Δ(E(x)) - Δ(E(G(z))) + μ·mean (x - G(E(x)))²
    G minimises  Δ(E(G(z))) + λ·mean (z - E(G(z)))²

The encoder tells real from generated data by how near to the prior their codes fall. The paper keeps its
codes on a sphere; here they are free, and the prior is the toolkit's own N(0, I).

Source: Ulyanov et al. 2017, "It Takes (Only) Two: Adversarial Generator-Encoder Networks", section 2.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

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

LEAST_VARIANCE = 1e-12


class AGE(InferringMethod):
    """A generator against an encoder on data. Only the posterior's code is trained, never its spread.

    Args:
        data_weight: μ, what the reconstruction of data counts for the encoder.
        code_weight: λ, what the reconstruction of codes counts for the generator.
        generator_steps: the generator's steps for one of the encoder's.
    """

    name = "age"

    def __init__(
        self,
        generator: Generator,
        encoder: Encoder,
        family: Posterior,
        /,
        *,
        data_weight: Annotated[float, Field(ge=0)] = 10.0,
        code_weight: Annotated[float, Field(ge=0)] = 10.0,
        generator_steps: Annotated[int, Field(ge=1)] = 2,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.encoder = encoder
        self.family = family
        self.data_weight = data_weight
        self.code_weight = code_weight
        self.generator_steps = generator_steps

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """A generator, an encoder on data, and its posterior's family."""
        return {
            "generator": Role("generator", on="z"),
            "encoder": Role("encoder", on="x"),
            "family": Role("posterior", on="z"),
        }

    def phases(self) -> Sequence[Phase]:
        """The encoder's step, then the generator's."""
        return (
            Phase("encoder", ("encoder", "family"), self.encoder_loss),
            Phase("generator", ("generator",), self.generator_loss, repeats=self.generator_steps),
        )

    def encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """Real codes towards the prior, generated ones away from it, and the reconstruction of x."""
        x = iteration.real
        codes = self.code(x)
        real, fake = divergence(codes), divergence(self.code(iteration.fake_detached))
        reconstruction = (x - self.generate(codes)).square().mean()
        total = real - fake + self.data_weight * reconstruction
        terms = {"real": real.detach(), "fake": fake.detach(), "reconstruction": reconstruction.detach()}
        return PhaseLoss(total, terms)

    def generator_loss(self, iteration: Iteration) -> PhaseLoss:
        """Generated codes towards the prior, and the reconstruction of z."""
        codes = self.code(iteration.fake)
        fake = divergence(codes)
        reconstruction = (iteration.z - codes).square().mean()
        total = fake + self.code_weight * reconstruction
        return PhaseLoss(total, {"fake": fake.detach(), "reconstruction": reconstruction.detach()})


def divergence(codes: Tensor) -> Tensor:
    """Δ, a scalar, of a batch of codes (B, Z)."""
    variance, mean = torch.var_mean(codes, 0, correction=0)
    # Codes that coincide, as where all of a layer's units are dead, are infinitely far from the prior.
    return 0.5 * (variance + mean.square() - 1 - variance.clamp(min=LEAST_VARIANCE).log()).sum()


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [AGE]
