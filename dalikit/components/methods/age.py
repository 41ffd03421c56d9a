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

from dalikit.functional.balance import Balance, Ratio, Weight
from dalikit.functional.divergences import batch_divergence
from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, Phase, PhaseLoss
from dalikit.objectives import INFERRING, Inferring, measured, weighted_sum

DALIKIT_API = 2


class AGE(Inferring):
    """A generator against an encoder on data. Only the posterior's code is trained, never its spread.

    Args:
        data_weight: μ, what the reconstruction of data counts for the encoder; or `balanced`, see
            `dalikit.functional.balance`.
        code_weight: λ, what the reconstruction of codes counts for the generator; or `balanced`.
        ratio: how hard, where they are balanced, the one pulls at G(E(x)) and the other at G(z), beside
            Δ(E(G(z))) at G(z).
        generator_steps: the generator's steps for one of the encoder's.
    """

    name = "age"
    balanced = "data_weight"

    def __init__(
        self,
        *,
        data_weight: Weight = 10.0,
        code_weight: Weight = 10.0,
        ratio: Ratio = 1.0,
        generator_steps: Annotated[int, Field(ge=1, le=1000)] = 2,
        **players: Any,
    ) -> None:
        super().__init__(**players)
        self.data_weight = Balance(data_weight, ratio)
        self.code_weight = Balance(code_weight, ratio)
        self.generator_steps = generator_steps

    def phases(self) -> Sequence[Phase]:
        """The encoder's step, then the generator's."""
        generator = Phase("generator", ("generator",), self.generator_loss, repeats=self.generator_steps)
        return (
            measured(Phase("encoder", INFERRING, self.encoder_loss), self.data_weight),
            measured(generator, self.code_weight),
        )

    def encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """Real codes towards the prior, generated ones away from it, and the reconstruction of x."""
        x, y = iteration.real, iteration.labels
        codes = self.code(x, y)
        fake = iteration.fake_detached.detach().requires_grad_(self.data_weight.moves)
        again = self.generate(codes, y)
        terms = {
            "real": batch_divergence(codes),
            "fake": batch_divergence(self.code(fake, y)),
            "reconstruction": (x - again).square().mean(),
        }
        weight = self.data_weight(terms["reconstruction"], terms["fake"], again, fake)
        return weighted_sum(terms, fake=-1.0, reconstruction=weight)

    def generator_loss(self, iteration: Iteration) -> PhaseLoss:
        """Generated codes towards the prior, and the reconstruction of z."""
        codes = self.code(iteration.fake, iteration.labels)
        terms = {"fake": batch_divergence(codes), "reconstruction": (iteration.z - codes).square().mean()}
        weight = self.code_weight(terms["reconstruction"], terms["fake"], iteration.fake)
        return weighted_sum(terms, reconstruction=weight)


dalikit_components = offer(AGE)
