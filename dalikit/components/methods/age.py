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

from pydantic import Field

from dalikit.functional.divergences import batch_divergence
from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, Phase, PhaseLoss
from dalikit.objectives import INFERRING, Inferring, weighted_sum

DALIKIT_API = 2


class AGE(Inferring):
    """A generator against an encoder on data. Only the posterior's code is trained, never its spread.

    Args:
        data_weight: μ, what the reconstruction of data counts for the encoder.
        code_weight: λ, what the reconstruction of codes counts for the generator.
        generator_steps: the generator's steps for one of the encoder's.
    """

    name = "age"

    def __init__(
        self,
        *,
        data_weight: Annotated[float, Field(ge=0)] = 10.0,
        code_weight: Annotated[float, Field(ge=0)] = 10.0,
        generator_steps: Annotated[int, Field(ge=1)] = 2,
        **players: Any,
    ) -> None:
        super().__init__(**players)
        self.data_weight = data_weight
        self.code_weight = code_weight
        self.generator_steps = generator_steps

    def phases(self) -> Sequence[Phase]:
        """The encoder's step, then the generator's."""
        return (
            Phase("encoder", INFERRING, self.encoder_loss),
            Phase("generator", ("generator",), self.generator_loss, repeats=self.generator_steps),
        )

    def encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """Real codes towards the prior, generated ones away from it, and the reconstruction of x."""
        x, y = iteration.real, iteration.labels
        codes = self.code(x, y)
        terms = {
            "real": batch_divergence(codes),
            "fake": batch_divergence(self.code(iteration.fake_detached, y)),
            "reconstruction": (x - self.generate(codes, y)).square().mean(),
        }
        return weighted_sum(terms, fake=-1.0, reconstruction=self.data_weight)

    def generator_loss(self, iteration: Iteration) -> PhaseLoss:
        """Generated codes towards the prior, and the reconstruction of z."""
        codes = self.code(iteration.fake, iteration.labels)
        terms = {"fake": batch_divergence(codes), "reconstruction": (iteration.z - codes).square().mean()}
        return weighted_sum(terms, reconstruction=self.code_weight)


dalikit_components = offer(AGE)
