"""Introspective adversarial networks: an encoder on D's features, and a D that tells three kinds apart.

    D minimises      H(x, real) + H(G(z), generated) + H(x̂, reconstructed),   x̂ = G(z'), z' ~ q(z|x)
    G, E minimise    H(G(z), real) + H(x̂, real) + λ_img mean |x - x̂| + λ_feature mean (h(x) - h(x̂))²
                     + λ_kl KL( q(z|x) ‖ N(0, I) )

with H(x, k) the cross-entropy of class k in a ternary head on D's features h.

Source: Brock et al. 2016, "Neural Photo Editing with Introspective Adversarial Networks", section 3.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dalikit.functional.divergences import kl_to_standard_normal
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import (
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

REAL, GENERATED, RECONSTRUCTED = range(3)
"""The classes of the ternary head."""


class IAN(InferringMethod):
    """A discriminator whose features feed a ternary head, which takes the place of its own, and an encoder.

    Args:
        image_weight: λ_img, of the absolute error of reconstructions, a mean over their values.
        feature_weight: λ_feature, of the squared error in D's features, a mean over them.
        kl_weight: λ_kl, in units of 1/Z.
    """

    name = "ian"

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        encoder: Encoder,
        family: Posterior,
        /,
        *,
        image_weight: Annotated[float, Field(ge=0)] = 3.0,
        feature_weight: Annotated[float, Field(ge=0)] = 1.0,
        kl_weight: Annotated[float, Field(ge=0)] = 1.0,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.encoder = encoder
        self.family = family
        self.ternary = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(discriminator.feature_shape), 3))
        self.image_weight = image_weight
        self.feature_weight = feature_weight
        self.kl_weight = kl_weight

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """A generator, a discriminator, an encoder on its features, and the posterior's family."""
        return {
            "generator": Role("generator", on="z"),
            "discriminator": Role("discriminator"),
            "encoder": Role("encoder", on="h"),
            "family": Role("posterior", on="z"),
        }

    def phases(self) -> Sequence[Phase]:
        """The step of the discriminator and its ternary head, then that of generator and encoder."""
        return (
            Phase("discriminator", ("discriminator", "ternary"), self.discriminator_loss),
            Phase("generator+encoder", ("generator", "encoder", "family"), self.generator_encoder_loss),
        )

    def discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The cross-entropy of each kind of data in its own class."""
        features = self.discriminator.features
        with torch.no_grad():
            rebuilt = self.generate(self.posterior(iteration.real).rsample())
        loss = (
            self._as(REAL, features(iteration.real))
            + self._as(GENERATED, features(iteration.fake_detached))
            + self._as(RECONSTRUCTED, features(rebuilt))
        )
        return PhaseLoss(loss, {"loss": loss.detach()})

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """All that is generated taken for real, reconstructions like the data, codes like the prior's."""
        x, features = iteration.real, self.discriminator.features
        h = features(x)
        posterior = self.family(*self.encoder(h))
        rebuilt = self.generate(posterior.rsample())
        again = features(rebuilt)
        losses = {
            "loss": self._as(REAL, features(iteration.fake)) + self._as(REAL, again),
            "image": (x - rebuilt).abs().mean(),
            "features": (h - again).square().mean(),
            "kl": kl_to_standard_normal(posterior).mean() / iteration.z.shape[1],
        }
        weights = (1.0, self.image_weight, self.feature_weight, self.kl_weight)
        total = torch.stack([w * loss for w, loss in zip(weights, losses.values(), strict=True)]).sum()
        return PhaseLoss(total, {name: loss.detach() for name, loss in losses.items()})

    def read(self, x: Tensor) -> Tensor:
        """D's features (B, *H) of x (B, *X)."""
        return self.discriminator.features(x)

    def _as(self, kind: int, h: Tensor) -> Tensor:
        """The mean cross-entropy of class `kind` for data with features h (B, *H)."""
        target = torch.full((len(h),), kind, device=h.device)
        return cross_entropy(self.ternary(h), target)


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [IAN]
