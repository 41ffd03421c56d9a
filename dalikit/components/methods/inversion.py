"""An encoder for a GAN that is trained already and stays as it is.

    code · E_z [-log q(z|G(z))] + image · E_x (x - G(E(x)))² + features · E_x (h(x) - h(G(E(x))))²

The squares are means over their values; h are the discriminator's features. The generator and the
discriminator come from another run. With `share_features` the encoder reads the frozen discriminator's
features, as Bang and Shim have it; without, x through a trunk of its own, as Zhu et al. have it, who weigh
images and features of real data: `code=0 features=1 share_features=false` is theirs, but for their h, which
are a classifier's. The default weighs codes and images alike, which neither paper does.

Source: Zhu et al. 2016, "Generative Visual Manipulation on the Natural Image Manifold", section 4.2; Bang and
Shim 2018, "High Quality Bidirectional Generative Adversarial Networks", section 3.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from dalikit.errors import UnfitError
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

Weight = Annotated[float, Field(ge=0)]


class Inversion(InferringMethod):
    """Trains an encoder alone; `--set generator.from_run=RUN --set discriminator.from_run=RUN` name the GAN.

    Args:
        code: what the codes of generated data count, in units of 1/Z.
        image: what the reconstruction of real data counts, a mean over their values.
        features: what that of the discriminator's features counts.
        share_features: whether the encoder reads those features, or x.

    Raises:
        UnfitError: all three weights are 0.
    """

    name = "inversion"

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        encoder: Encoder,
        family: Posterior,
        /,
        *,
        code: Weight = 1.0,
        image: Weight = 1.0,
        features: Weight = 0.0,
        share_features: bool = True,
    ) -> None:
        super().__init__()
        if not code + image + features:
            raise UnfitError("method 'inversion': code, image and features are all 0: nothing can be learned")
        self.generator = generator
        self.discriminator = discriminator
        self.encoder = encoder
        self.family = family
        self.weights = (code, image, features)
        self.share_features = share_features

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """A frozen generator and discriminator, an encoder, and its posterior's family."""
        return {
            "generator": Role("generator", on="z", frozen=True),
            "discriminator": Role("discriminator", frozen=True),
            "encoder": Role("encoder", on="h" if params["share_features"] else "x"),
            "family": Role("posterior", on="z"),
        }

    def phases(self) -> Sequence[Phase]:
        """The encoder's step."""
        return (Phase("encoder", ("encoder", "family"), self.loss),)

    def loss(self, iteration: Iteration) -> PhaseLoss:
        """The three terms, those of weight 0 left out."""
        code, image, features = self.weights
        x, terms = iteration.real, {}
        if code:
            terms["nll"] = -self.posterior(iteration.fake_detached).log_prob(iteration.z).mean()
        if image or features:
            again = self.generate(self.code(x))
        if image:
            terms["image"] = (again - x).square().mean()
        if features:
            apart = self.discriminator.features(again) - self.discriminator.features(x)
            terms["features"] = apart.square().mean()
        weights = {"nll": code / iteration.z.shape[1], "image": image, "features": features}
        total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        return PhaseLoss(total, {name: term.detach() for name, term in terms.items()})

    def read(self, x: Tensor) -> Tensor:
        """D's features (B, *H) of x (B, *X) where they are shared, else x."""
        return self.discriminator.features(x) if self.share_features else x


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [Inversion]
