"""What methods with a discriminator share, and those with a game on one."""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from dalikit.interfaces import (
    AdversarialGame,
    Augmentation,
    Critic,
    Iteration,
    Method,
    Phase,
    PhaseLoss,
    Role,
)
from dalikit.interfaces.methods import Reads
from dalikit.objectives.losses import critic_loss, critic_phase, generator_loss


class Watching(Method):
    """A method with a discriminator that sees data, augmented or not."""

    discriminator: Any
    augmentation: Augmentation | None
    judges: ClassVar[Reads] = "x"
    """What the discriminator reads; where that is data, they may be augmented."""

    def __init__(self, **players: Any) -> None:
        super().__init__(**{"augmentation": None, **players})

    @classmethod
    def roles(cls, **settings: Any) -> dict[str, Role]:
        """A generator, a discriminator, and what augments its sight of data."""
        sight = {} if cls.judges == "z" else {"augmentation": Role("augmentation")}
        discriminator = Role("discriminator", reads=cls.judges)
        return {**super().roles(**settings), "discriminator": discriminator, **sight}

    @property
    def augments(self) -> bool:
        """Whether D sees anything but the data as they are."""
        return self.augmentation is not None and self.augmentation.changes

    def seen(self, x: Tensor) -> Tensor:
        """What D judges (B, …) as it sees it in training."""
        return self.augmentation(x) if self.augmentation is not None and self.augments else x

    def observe(self, logits: Tensor) -> None:
        """Tell the augmentation D's logits (B,) of real data."""
        if self.augmentation is not None:
            self.augmentation.observe(logits)


class Playing(Watching):
    """A method with a game between its G, or its E, and a discriminator.

    Unless it says otherwise, its first phase is the discriminator's step.
    """

    game: AdversarialGame

    @classmethod
    def roles(cls, **settings: Any) -> dict[str, Role]:
        """The discriminator's side, and the game."""
        return {**super().roles(**settings), "game": Role("game")}

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step."""
        own = critic_phase(self.game, self.discriminator, self.discriminator_loss)
        return (*super().phases(), own)

    def discriminator_loss(self, iteration: Iteration, *, penalised: bool) -> PhaseLoss:
        """The game's loss of D, real data first, and its penalty."""
        critic, real, fake = self.critic(iteration), self.real(iteration), self.fake(iteration)
        return critic_loss(self.game, critic, real, fake, penalised=penalised, observe=self.observe)

    def real(self, iteration: Iteration) -> Tensor:
        """What D takes for real, without a graph."""
        return iteration.real

    def fake(self, iteration: Iteration) -> Tensor:
        """What D is to tell from it, without a graph."""
        return iteration.fake_detached

    def verdict(self, iteration: Iteration) -> tuple[Tensor, Tensor]:
        """D's logits (B,) of what it takes for real, and of what was generated, as it sees them."""
        critic = self.critic(iteration)
        return critic(self.real(iteration)), critic(self.fake(iteration))

    def adversarial_loss(self, iteration: Iteration, logits: Tensor) -> Tensor:
        """The game's loss, a scalar, of whoever generates, at D's logits (B,) of what was generated."""
        return generator_loss(self.game, self.critic(iteration), logits, lambda: self.real(iteration))

    def advance(self, progress: Tensor) -> None:
        """Tell the game too."""
        super().advance(progress)
        self.game.advance(progress)

    def critic(self, iteration: Iteration, critic: nn.Module | None = None) -> Critic:
        """D, or another critic, as a function of what it judges under the iteration's labels."""
        judge = self.discriminator if critic is None else critic
        if self.judges == "z":
            return judge  # codes bear no labels
        return lambda x: judge(self.seen(x), *self.given(iteration.labels, len(x)))


class Adversarial(Playing):
    """A game on data."""

    def judged(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """D's logits (B,) of x (B, *X) as it sees it, and features (B, *H) that an encoder may share."""
        h = self.discriminator.trunk(self.seen(x))
        logits = self.discriminator.head(h, *self.given(y))
        again = self.augments and getattr(self, "share_features", False)
        return logits, self.discriminator.trunk(x) if again else h
