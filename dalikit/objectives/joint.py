"""What methods share whose game is on pairs of data and codes."""

import torch
from torch import Tensor

from dalikit.interfaces import Iteration
from dalikit.objectives.inferring import Inferring
from dalikit.objectives.playing import Playing
from dalikit.players import JointDiscriminator


class Joint(Inferring, Playing):
    """A game on pairs of data and codes: (x, E(x)) are real, (G(z), z) generated."""

    discriminator: JointDiscriminator
    judges = "xz"

    def seen(self, x: Tensor) -> Tensor:
        """Pairs (B, |X| + Z) as D sees them: their data augmented."""
        if not self.augments:
            return x
        data, z = self.discriminator.parts(x)
        return self.discriminator.pairs(super().seen(data), z)

    @torch.no_grad()
    def real(self, iteration: Iteration) -> Tensor:
        """(x, E(x)) without a graph."""
        return self.discriminator.pairs(iteration.real, self.draw(iteration))

    def fake(self, iteration: Iteration) -> Tensor:
        """(G(z), z) without a graph."""
        return self.discriminator.pairs(iteration.fake_detached, iteration.z)

    def joint_loss(self, iteration: Iteration, z: Tensor) -> Tensor:
        """The game's loss, a scalar, of both sides: (x, z), z being E(x), and (G(z), z)."""
        critic, pairs = self.critic(iteration), self.discriminator.pairs
        inferred, generated = pairs(iteration.real, z), pairs(iteration.fake, iteration.z)
        return self.game.joint(critic(inferred), critic(generated)).mean()
