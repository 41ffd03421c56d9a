"""The relativistic pairing game with zero-centred gradient penalties.

D is asked whether a real datum looks more real than a generated one, pair by pair, so that it must tell every
mode of the data from what G makes of it. R1 and R2, the squared gradients at real and at generated data,
make the game converge.

Source: Jolicoeur-Martineau 2018, "The relativistic discriminator: a key element missing from standard GAN";
Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline" (R3GAN), section 2.
"""

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus

from dalikit.errors import UnfitError
from dalikit.functional.penalties import zero_centred_penalty
from dalikit.hookspecs import offer
from dalikit.interfaces import AdversarialGame, Critic

DALIKIT_API = 2


class Relativistic(AdversarialGame):
    """Pairs each generated datum with a real one.

    Args:
        gamma: the weight of R1 + R2, each ½‖∇ D‖².
    """

    name = "relativistic"
    needs_real = True

    def __init__(self, *, gamma: Annotated[float, Field(ge=0)] = 0.5) -> None:
        self.gamma = gamma
        self.penalised = gamma > 0

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """log(1 + exp(-(D(x) - D(x̃))))."""
        return softplus(-_advantage(real, fake))

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """log(1 + exp(-(D(x̃) - D(x))))."""
        if real is None:
            raise UnfitError(
                "game 'relativistic' pairs generated with real data: it needs the real logits too"
            )
        return softplus(_advantage(real, fake))

    def joint(self, real: Tensor, fake: Tensor) -> Tensor:
        """The generator's loss: it moves both sides of a pair already."""
        return self.generator_loss(fake, real)

    def penalty(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """gamma · (R1 + R2)."""
        return self.gamma * (zero_centred_penalty(critic, real) + zero_centred_penalty(critic, fake))


def _advantage(real: Tensor, fake: Tensor) -> Tensor:
    """D(x) - D(x̃) (B,), pair by pair."""
    if real.shape != fake.shape:
        raise UnfitError(
            f"game 'relativistic' pairs a generated datum with a real one, not {len(fake)} and {len(real)}"
        )
    return real - fake


dalikit_components = offer(Relativistic)
