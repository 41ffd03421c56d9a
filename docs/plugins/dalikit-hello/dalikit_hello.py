"""A Laplace posterior: its -log q(z|x) grows with |z - m|, not with its square.

-log q(z|x) = Σ_j (|z_j - m_j| / b_j + log 2b_j)
"""

from torch import Tensor
from torch.distributions import Distribution, Independent
from torch.distributions import Laplace as LaplaceDistribution

from dalikit.functional.gaussian import soft_bound
from dalikit.hookspecs import offer
from dalikit.interfaces import Posterior

DALIKIT_API = 2


class Laplace(Posterior):
    """Independent Laplace distributions, by two heads: the centres m and log b, kept in a range.

    Args:
        log_scale_min, log_scale_max: the ends of that range.
    """

    name = "laplace"

    def __init__(
        self, latent_size: int, /, *, log_scale_min: float = -4.0, log_scale_max: float = 2.0
    ) -> None:
        super().__init__()
        self.latent_size = latent_size
        self.bounds = (log_scale_min, log_scale_max, 1.0)

    def heads(self) -> tuple[int, ...]:
        """m and log b: (Z, Z)."""
        return self.latent_size, self.latent_size

    def forward(self, *heads: Tensor) -> Distribution:
        """The distribution of raw heads m and log b, both (B, Z)."""
        centre, log_scale = heads
        scale = soft_bound(log_scale, *self.bounds).exp()
        return Independent(LaplaceDistribution(centre, scale, validate_args=False), 1, validate_args=False)


dalikit_components = offer(Laplace)
