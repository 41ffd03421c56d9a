"""Mode regularised GANs by manifold and diffusion: first reach the data's manifold, then spread over it.

    manifold:   D1 tells x from G(E(x));  G, E minimise  λ·mean (x - G(E(x)))² + the game's loss of G(E(x))
    diffusion:  D2 tells G(E(x)), as real, from G(z);  G minimises the game's loss of G(z)

Each step compares distributions that lie near each other, reconstructions and the data, then samples and
reconstructions, so that no mode of the data is out of the generator's sight. The paper's λ stands at the
game's loss instead: its λ is 1/λ here, but for the scale of the whole.

Source: Che et al. 2016, "Mode Regularized Generative Adversarial Networks", manifold-diffusion training.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from dalikit import objectives
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import (
    AdversarialGame,
    Discriminator,
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


class MDGAN(InferringMethod):
    """Two discriminators on data, one game for both. Only the posterior's code is trained, never its spread.

    Args:
        lam: λ, what the reconstruction counts against the game.
    """

    name = "mdgan"

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        diffuser: Discriminator,
        encoder: Encoder,
        family: Posterior,
        game: AdversarialGame,
        /,
        *,
        lam: Annotated[float, Field(ge=0)] = 10.0,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.diffuser = diffuser
        self.encoder = encoder
        self.family = family
        self.game = game
        self.lam = lam

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """A generator, D1 and D2, an encoder on data, its posterior's family, and the game."""
        return {
            "generator": Role("generator", on="z"),
            "discriminator": Role("discriminator"),
            "diffuser": Role("discriminator"),
            "encoder": Role("encoder", on="x"),
            "family": Role("posterior", on="z"),
            "game": Role("game"),
        }

    def phases(self) -> Sequence[Phase]:
        """The manifold's two steps, then the diffusion's two."""
        return (
            objectives.discriminator_phase(self.game, self.discriminator, self.discriminator_loss),
            Phase("manifold", ("generator", "encoder", "family"), self.manifold_loss),
            objectives.discriminator_phase(self.game, self.diffuser, self.diffuser_loss, "diffuser"),
            Phase("diffusion", ("generator",), self.diffusion_loss),
        )

    def discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of D1 on x, then G(E(x))."""
        real, step = iteration.real, iteration.step
        return objectives.discriminator_loss(self.game, self.discriminator, real, self._rebuilt(real), step)

    def manifold_loss(self, iteration: Iteration) -> PhaseLoss:
        """The reconstruction of x, and the game's loss of G(E(x)) against D1."""
        real = iteration.real
        rebuilt = self.generate(self.code(real))
        reconstruction = (real - rebuilt).square().mean()
        loss = objectives.generator_loss(
            self.game, self.discriminator, self.discriminator(rebuilt), lambda: real
        )
        terms = {"loss": loss.detach(), "reconstruction": reconstruction.detach()}
        return PhaseLoss(self.lam * reconstruction + loss, terms)

    def diffuser_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of D2 on G(E(x)), then G(z)."""
        rebuilt, fake = self._rebuilt(iteration.real), iteration.fake_detached
        return objectives.discriminator_loss(self.game, self.diffuser, rebuilt, fake, iteration.step)

    def diffusion_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of G(z) against D2."""
        logits = self.diffuser(iteration.fake)
        loss = objectives.generator_loss(
            self.game, self.diffuser, logits, lambda: self._rebuilt(iteration.real)
        )
        return PhaseLoss(loss, {"loss": loss.detach()})

    @torch.no_grad()
    def _rebuilt(self, x: Tensor) -> Tensor:
        """G(E(x)) (B, *X) without a graph."""
        return self.generate(self.code(x))


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [MDGAN]
