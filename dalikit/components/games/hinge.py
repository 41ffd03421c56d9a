"""The hinge game.

Source: Lim and Ye 2017, "Geometric GAN"; Miyato et al. 2018, "Spectral Normalization for GANs",
equations (16) and (17).
"""

from torch import Tensor
from torch.nn.functional import relu

from dalikit.functional.several import sum_over_samples
from dalikit.hookspecs import offer
from dalikit.interfaces import AdversarialGame

DALIKIT_API = 2


class Hinge(AdversarialGame):
    """D is paid for margins up to 1 and no further; G raises D."""

    name = "hinge"

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """max(0, 1 - D(x)) + max(0, 1 + D(x̃))."""
        return relu(1 - real) + sum_over_samples(relu(1 + fake), len(real))

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """-D(x̃)."""
        return -fake


dalikit_components = offer(Hinge)
