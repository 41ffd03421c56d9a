"""What discriminator and generator play for."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn

from dalikit.errors import UnfitError
from dalikit.interfaces.kinds import Component, Kind, describe

Critic = Callable[..., Tensor]


class AdversarialGame(Component, ABC):
    """What D and G play for. It has no parameters; all its losses are per sample and minimised.

    `fake` logits are (K·B,), sample k of datum b at k·B + b; they are summed over k. A game that pairs
    each fake with one real refuses K > 1.
    """

    kind = Kind("game", default="gan", player=True)
    needs_real: ClassVar[bool] = False
    """Whether `generator_loss` must be given the real logits."""

    penalised: bool = False
    """Whether `penalty` is to be asked for; known before training, so that each iteration's work is."""

    discriminator_steps: int = 1
    """Discriminator steps for each generator step that the game's paper asks for."""

    penalty_every: int = 1
    """Compute the penalty in every n-th iteration only, n times as heavy (lazy regularisation)."""

    progress: Tensor | float = 0.0
    """The share of training that is done; see `advance`."""

    def advance(self, progress: Tensor) -> None:
        """Told before each iteration the share of training that is done, a scalar from 0 to 1."""
        self.progress = progress

    @abstractmethod
    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Losses (B,) of D, from the logits of real (B,) and generated (K·B,) data."""

    @abstractmethod
    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Losses of G, shaped as `fake` (K·B,); `real` (B,) is given where the game `needs_real`."""

    def joint(self, real: Tensor, fake: Tensor) -> Tensor:
        """Losses (B,) of the players against a joint D(x, z): pairs (x, E(x)) are `real`, (G(z), z) `fake`.

        The encoder's side must get a gradient too, so each side is pushed over the other's.
        """
        return self.generator_loss(fake, real) + self.generator_loss(-real, -fake)

    def penalty(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """Penalties (B,) on the critic at real (B, *X) and generated (K·B, *X) data, where `penalised`.

        `critic` is any callable from data to logits. Of K generated data the mean counts, whatever K is.
        """
        raise UnfitError(f"{describe(self)} says that it is penalised, and has no penalty")

    def project(self, discriminator: nn.Module) -> None:
        """Called after each step of the discriminator, e.g. to clip its weights in place."""
