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

from pydantic import Field

from dalikit.errors import UnfitError
from dalikit.hookspecs import offer
from dalikit.interfaces import Iteration, Phase, PhaseLoss, Role
from dalikit.objectives import INFERRING, Inferring, weighted_sum
from dalikit.players import Trunk

DALIKIT_API = 2

Weight = Annotated[float, Field(ge=0)]


class Inversion(Inferring):
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
    discriminator: Trunk

    def __init__(
        self,
        *,
        code: Weight = 1.0,
        image: Weight = 1.0,
        features: Weight = 0.0,
        share_features: bool = True,
        **players: Any,
    ) -> None:
        super().__init__(**players)
        if not code + image + features:
            raise UnfitError("method 'inversion': code, image and features are all 0: nothing can be learned")
        self.weights = (code, image, features)
        self.needs = ("log_prob",) if code else ()
        self.share_features = share_features

    @classmethod
    def roles(cls, **settings: Any) -> dict[str, Role]:
        """A frozen generator and a frozen discriminator's trunk, an encoder, and its posterior's family."""
        frozen = {
            "generator": Role("generator", frozen=True),
            "discriminator": Role("discriminator", frozen=True, headless=True),
        }
        return frozen | super().roles(**settings) | frozen

    def phases(self) -> Sequence[Phase]:
        """The encoder's step."""
        return (Phase("encoder", INFERRING, self.loss),)

    def loss(self, iteration: Iteration) -> PhaseLoss:
        """The three terms, those of weight 0 left out."""
        code, image, features = self.weights
        x, y, terms = iteration.real, iteration.labels, {}
        if code:
            terms["nll"] = -self.posterior(iteration.fake_detached, y).log_prob(iteration.z).mean()
        if image or features:
            again = self.generate(self.code(x, y), y)
        if image:
            terms["image"] = (again - x).square().mean()
        if features:
            apart = self.discriminator.trunk(again) - self.discriminator.trunk(x)
            terms["features"] = apart.square().mean()
        return weighted_sum(terms, nll=code / self.latent_size, image=image, features=features)


dalikit_components = offer(Inversion)
