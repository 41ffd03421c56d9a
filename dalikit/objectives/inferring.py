"""What methods with an encoder and a family of posteriors share."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from dalikit.interfaces import Iteration, Method, Phase, PhaseLoss, Posterior, Role

INFERRING = ("encoder", "family")
"""The roles of an encoder, trained together."""


class Inferring(Method):
    """A method with an encoder and a family of posteriors: q(z|x) is the family's at the encoder's heads.

    Unless it says otherwise, its last phase is one joint step of generator and encoder.
    """

    infers = True
    discriminator: Any
    encoder: nn.Module
    family: Posterior
    share_features: bool = False
    """Whether the encoder reads D's features, in place of x through a trunk of its own."""

    deterministic: bool = False
    """Whether E(x) is the posterior's code, in place of a draw from it."""

    @classmethod
    def roles(cls, **settings: Any) -> dict[str, Role]:
        """Those of its other bases, an encoder, and its posterior's family."""
        shared = settings.get("share_features", cls.share_features)
        encoder = Role("encoder", reads="h" if shared else "x")
        return {**super().roles(**settings), "encoder": encoder, "family": Role("posterior")}

    def phases(self) -> Sequence[Phase]:
        """Those of its other bases, and the joint step of generator and encoder."""
        both = Phase("generator+encoder", ("generator", *INFERRING), self.generator_encoder_loss)
        return (*super().phases(), both)

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """What generator and encoder minimise together, in methods where they do."""
        raise NotImplementedError

    def read(self, x: Tensor) -> Tensor:
        """What the encoder reads of x (B, *X): x itself, or D's features (B, *H) where they are shared."""
        return self.discriminator.trunk(x) if self.share_features else x

    def inferred(self, h: Tensor, y: Tensor | None) -> Distribution:
        """The posterior of what the encoder reads."""
        return self.family(*self.encoder(h, *self.given(y)))

    def posterior(self, x: Tensor, y: Tensor | None = None) -> Distribution:
        """q(z|x) for x (B, *X), or q(z|x, y)."""
        return self.inferred(self.read(x), y)

    def code(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The code z (B, Z) that stands for x (B, *X), μ(x) for a Gaussian."""
        return self.family.code(self.posterior(x, y))

    def draw(self, iteration: Iteration) -> Tensor:
        """E(x) (B, Z) of the iteration's data, with a gradient."""
        posterior = self.posterior(iteration.real, iteration.labels)
        return self.family.code(posterior) if self.deterministic else posterior.rsample()

    @torch.no_grad()
    def rebuilt(self, iteration: Iteration) -> Tensor:
        """G(E(x)) (B, *X) without a graph."""
        return self.generate(self.draw(iteration), iteration.labels)
