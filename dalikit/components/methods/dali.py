"""Decomposed Adversarial Learned Inference.

min over G, E, max over D:  V(G, D) + λ E_z[-log q(z | G(z))]                                     (10)

Algorithm 1, alternating: a step of D on (real, then generated) data; then one joint step of G and E on the
generator's loss plus λ·NLL, with the updated D. The encoder reads D's features; the NLL's gradient flows
through them to G, and never into them.

Source: "Decomposed Adversarial Learned Inference", sections 3.4 and 3.5, Algorithm 1.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import Tensor

from dalikit import objectives
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import (
    AdversarialGame,
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


class DALI(InferringMethod):
    """DALI, with any game on x and any posterior over z.

    Args:
        lam: λ in units of 1/Z; 1 is the paper's λ = 1/d.
        lam_schedule: `constant`, or `linear` from `lam` to 0 over the training.
        share_features: whether the encoder reads D's features (the paper's choice) or x itself, through
            a trunk of its own.
    """

    name = "dali"

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        encoder: Encoder,
        family: Posterior,
        game: AdversarialGame,
        /,
        *,
        lam: Annotated[float, Field(ge=0)] = 1.0,
        lam_schedule: Literal["constant", "linear"] = "constant",
        share_features: bool = True,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.encoder = encoder
        self.family = family
        self.game = game
        self.lam = lam
        self.lam_schedule = lam_schedule
        self.share_features = share_features

    @classmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """One generator, one discriminator, one encoder, its posterior's family, and the game."""
        return {
            "generator": Role("generator", on="z"),
            "discriminator": Role("discriminator"),
            "encoder": Role("encoder", on="h" if params["share_features"] else "x"),
            "family": Role("posterior", on="z"),
            "game": Role("game"),
        }

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step, then the joint step of generator and encoder."""
        return (
            objectives.discriminator_phase(self.game, self.discriminator, self.discriminator_loss),
            Phase("generator+encoder", ("generator", "encoder", "family"), self.generator_encoder_loss),
        )

    def discriminator_loss(self, iteration: Iteration) -> PhaseLoss:
        """L_d of Algorithm 1, and the game's penalty."""
        real, fake = iteration.real, iteration.fake_detached
        return objectives.discriminator_loss(self.game, self.discriminator, real, fake, iteration.step)

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """L_rec = L_g + L_e of Algorithm 1, both from one pass through the features."""
        fake = iteration.fake
        h = self.discriminator.features(fake)
        logits = self.discriminator.head(h)
        adversarial = objectives.generator_loss(self.game, self.discriminator, logits, lambda: iteration.real)
        raw = self.encoder(h if self.share_features else fake)
        nll = -self.family(*raw).log_prob(iteration.z).mean()
        total = adversarial + self._lam(iteration.progress) / iteration.z.shape[1] * nll
        return PhaseLoss(total, {"loss": adversarial.detach(), "nll": nll.detach()})

    def read(self, x: Tensor) -> Tensor:
        """D's features (B, *H) of x (B, *X) where they are shared, else x."""
        return self.discriminator.features(x) if self.share_features else x

    def _lam(self, progress: float) -> float:
        return self.lam * (1 - progress) if self.lam_schedule == "linear" else self.lam


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the method."""
    return [DALI]
