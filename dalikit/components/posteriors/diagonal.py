"""The diagonal Gaussian posterior of DALI.

-log q(z|x) = ½ Σ_j ((z_j - μ_j)²/σ_j² + log σ_j² + log 2π)

Source: DALI, section 3.4, equation (9).
"""

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.distributions import Distribution

from dalikit.errors import UserError
from dalikit.functional.gaussian import diagonal_normal, soft_bound
from dalikit.hookspecs import offer
from dalikit.interfaces import Posterior

DALIKIT_API = 2


class Diagonal(Posterior):
    """N(μ(x), diag σ²(x)), by two separate heads: μ and log σ².

    log σ² is kept within [log_variance_min, log_variance_max] by a smooth bound, the identity but within
    `knee` of the ends. Without it the loss has no lower end: for a deterministic generator -log q(z|x)
    falls for ever as σ shrinks, and G is paid for spreading its samples without limit.

    Args:
        log_variance_min, log_variance_max: the ends of the range.
        knee: how far from the ends the bound begins to bend.

    Raises:
        UserError: the range has no room for two knees.
    """

    name = "diag"

    def __init__(
        self,
        latent_size: int,
        /,
        *,
        log_variance_min: float = -8.0,
        log_variance_max: float = 4.0,
        knee: Annotated[float, Field(gt=0)] = 1.0,
    ) -> None:
        super().__init__()
        if log_variance_max - log_variance_min < 2 * knee:
            raise UserError(
                f"posterior 'diag': log_variance_max - log_variance_min must be at least 2·knee = {2 * knee}"
            )
        self.latent_size = latent_size
        self.bounds = (log_variance_min, log_variance_max, knee)

    def heads(self) -> tuple[int, ...]:
        """μ and log σ²: (Z, Z)."""
        return self.latent_size, self.latent_size

    def forward(self, *heads: Tensor) -> Distribution:
        """The Gaussian of raw heads μ and log σ², both (B, Z)."""
        mean, log_variance = heads
        return diagonal_normal(mean, soft_bound(log_variance, *self.bounds))


dalikit_components = offer(Diagonal)
