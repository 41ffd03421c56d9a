"""Introspective adversarial networks: an encoder on D's features, and a D that tells three kinds apart.

    D minimises      H(x, real) + H(G(z), generated) + H(x̂, reconstructed),   x̂ = G(z'), z' ~ q(z|x)
    G, E minimise    H(G(z), real) + H(x̂, real) + λ_img mean |x - x̂| + λ_feature mean (h(x) - h(x̂))²
                     + λ_kl KL( q(z|x) ‖ N(0, I) )

with H(x, k) the cross-entropy of class k in a ternary head on D's features h.

Source: Brock et al. 2016, "Neural Photo Editing with Introspective Adversarial Networks", section 3.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dalikit.functional.balance import Balance, Ratio, Weight
from dalikit.functional.divergences import kl_to_standard_normal
from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, Phase, PhaseLoss, Role
from dalikit.objectives import Inferring, Watching, measured, weighted_sum
from dalikit.players import Projection, Trunk

DALIKIT_API = 2

REAL, GENERATED, RECONSTRUCTED = range(3)
"""The classes of the ternary head."""


class IAN(Inferring, Watching):
    """A discriminator whose features feed a ternary head, which takes the place of its own, and an encoder.

    Args:
        image_weight: λ_img, of the absolute error of reconstructions, a mean over their values.
        feature_weight: λ_feature, of the squared error in D's features, a mean over them.
        kl_weight: λ_kl, in units of 1/Z.
        weight: what both reconstructions together count besides, or `balanced`, see
            `dalikit.functional.balance`.
        ratio: how hard they pull at x̂ beside the game there, where their weight is balanced.
    """

    name = "ian"
    balanced = "weight"
    needs = ("rsample", "log_prob", "mean")
    share_features = True
    discriminator: Trunk

    def __init__(
        self,
        *,
        image_weight: Annotated[float, Field(ge=0)] = 3.0,
        feature_weight: Annotated[float, Field(ge=0)] = 1.0,
        kl_weight: Annotated[float, Field(ge=0)] = 1.0,
        weight: Weight = 1.0,
        ratio: Ratio = 1.0,
        **players: Any,
    ) -> None:
        super().__init__(**players)
        flat = torch.Size(self.discriminator.feature_shape).numel()
        self.ternary = nn.ModuleList([nn.Sequential(nn.Flatten(), nn.Linear(flat, 3))])
        if self.conditional:
            self.ternary.append(Projection(len(self.spec.classes or ()), flat, 3))
        self.image_weight = image_weight
        self.feature_weight = feature_weight
        self.kl_weight = kl_weight
        self.weight = Balance(weight, ratio)

    @classmethod
    def roles(cls, **settings: Any) -> dict[str, Role]:
        """A generator, a discriminator's trunk, an encoder on its features, and the posterior's family."""
        return super().roles(**settings) | {"discriminator": Role("discriminator", headless=True)}

    def phases(self) -> Sequence[Phase]:
        """The step of the discriminator and its ternary head, then that of generator and encoder."""
        first = Phase("discriminator", ("discriminator", "ternary"), self.discriminator_loss)
        (both,) = super().phases()
        return first, measured(both, self.weight)

    def discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The cross-entropy of each kind of data in its own class."""
        features, x, y = self.discriminator.trunk, iteration.real, iteration.labels
        rebuilt = self.rebuilt(iteration)
        real = self._logits(features(self.seen(x)), y)
        self.observe(real[:, REAL].detach() - real[:, REAL + 1 :].detach().logsumexp(1))
        loss = (
            cross_entropy(real, torch.full((len(x),), REAL, device=x.device))
            + self._as(GENERATED, features(self.seen(iteration.fake_detached)), y)
            + self._as(RECONSTRUCTED, features(self.seen(rebuilt)), y)
        )
        return weighted_sum({"loss": loss})

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """All that is generated taken for real, reconstructions like the data, codes like the prior's."""
        features, x, y = self.discriminator.trunk, iteration.real, iteration.labels
        h = features(x)
        posterior = self.inferred(h, y)
        rebuilt = self.generate(posterior.rsample(), y)
        again = features(rebuilt)
        seen = features(self.seen(rebuilt)) if self.augments else again
        terms = {
            "loss": self._as(REAL, features(self.seen(iteration.fake)), y) + self._as(REAL, seen, y),
            "image": (x - rebuilt).abs().mean(),
            "features": (h - again).square().mean(),
            "kl": kl_to_standard_normal(posterior).mean() / self.latent_size,
        }
        image, feature = self.image_weight, self.feature_weight
        reconstruction = image * terms["image"] + feature * terms["features"]
        weight = self.weight(reconstruction, terms["loss"], rebuilt)
        return weighted_sum(terms, image=weight * image, features=weight * feature, kl=self.kl_weight)

    def verdict(self, iteration: Iteration) -> tuple[Tensor, Tensor]:
        """How much more real than generated the ternary head takes x, and G(z), for (B,)."""
        both = [self.seen(x) for x in (iteration.real, iteration.fake_detached)]
        logits = [self._logits(self.discriminator.trunk(x), iteration.labels) for x in both]
        real, fake = (found[:, REAL] - found[:, GENERATED] for found in logits)
        return real, fake

    def _as(self, kind: int, h: Tensor, y: Tensor | None) -> Tensor:
        """The mean cross-entropy of class `kind` for data with features h (B, *H)."""
        return cross_entropy(self._logits(h, y), torch.full((len(h),), kind, device=h.device))

    def _logits(self, h: Tensor, y: Tensor | None) -> Tensor:
        """The ternary head's logits (B, 3), to which labels add theirs."""
        head, *projection = self.ternary
        return sum((extra(h, *self.given(y)) for extra in projection), head(h))


dalikit_components = offer(IAN)
