"""A plain GAN on DALI's own generator and discriminator: the paper's baseline.

Source: Goodfellow et al. 2014, "Generative Adversarial Nets", Algorithm 1; DALI, section 4.1, whose "GAN"
row has the generator and the discriminator of its DALI row.
"""

from collections.abc import Sequence
from typing import Any

from dalikit import objectives
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import (
    AdversarialGame,
    Discriminator,
    Generator,
    Iteration,
    Method,
    Phase,
    PhaseLoss,
    Role,
)

DALIKIT_API = 1


class PlainGAN(Method):
    """A generator and a discriminator, playing any game on x. It cannot infer."""

    name = "gan"

    def __init__(self, generator: Generator, discriminator: Discriminator, game: AdversarialGame, /) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.game = game

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """One generator, one discriminator, and the game."""
        return {
            "generator": Role("generator", on="z"),
            "discriminator": Role("discriminator"),
            "game": Role("game"),
        }

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, then the generator's."""
        return (
            objectives.discriminator_phase(self.game, self.discriminator, self.discriminator_loss),
            Phase("generator", ("generator",), self.generator_loss),
        )

    def discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of D, real data first, and its penalty."""
        real, fake = iteration.real, iteration.fake_detached
        return objectives.discriminator_loss(self.game, self.discriminator, real, fake, iteration.step)

    def generator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of G, with the updated D."""
        logits = self.discriminator(iteration.fake)
        loss = objectives.generator_loss(self.game, self.discriminator, logits, lambda: iteration.real)
        return PhaseLoss(loss, {"loss": loss.detach()})


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [PlainGAN]
