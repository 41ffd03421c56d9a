"""Identity (4): objective (1) is objective (5) plus a constant, on linear-Gaussian models.

p: z ~ N(0, I), x|z ~ N(Az + b, S). q: x ~ N(m, Q), z|x ~ N(Wx + c, diag exp(l)). Each term of (1) comes from
Gaussian conditioning, in closed form. Of (5), the first term is in closed form; the second is the expectation
of the posterior's own -log_prob, a quadratic in (x, z), for which 2n cubature points are exact.
"""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.components.posteriors.identity import Identity


def kl(mean_p: Tensor, cov_p: Tensor, mean_q: Tensor, cov_q: Tensor) -> Tensor:
    """KL(N(mean_p, cov_p) ‖ N(mean_q, cov_q))."""
    apart = mean_q - mean_p
    inverse = torch.linalg.inv(cov_q)
    volume = torch.logdet(cov_q) - torch.logdet(cov_p)
    return 0.5 * (torch.trace(inverse @ cov_p) + apart @ inverse @ apart - len(apart) + volume)


def mean_kl(slope: Tensor, offset: Tensor, cov_p: Tensor, cov_q: Tensor) -> Tensor:
    """E_z KL(N(mean, cov_p) ‖ N(mean + slope z + offset, cov_q)) for z ~ N(0, I)."""
    inverse = torch.linalg.inv(cov_q)
    return kl(offset, cov_p, torch.zeros_like(offset), cov_q) + 0.5 * torch.trace(slope.T @ inverse @ slope)


def covariance(size: int, rng: torch.Generator) -> Tensor:
    root = torch.randn(size, size, generator=rng, dtype=torch.float64)
    return root @ root.T / size + 0.3 * torch.eye(size, dtype=torch.float64)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), d=st.integers(1, 4), n=st.integers(1, 5), diagonal=st.booleans())
def test_objective_1_is_objective_5_plus_a_constant(seed: int, d: int, n: int, diagonal: bool) -> None:
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    a, b, s = normal(n, d), normal(n), covariance(n, rng)
    m, q = normal(n), covariance(n, rng)
    w, c = normal(d, n), normal(d)
    log_variance = normal(d) if diagonal else torch.zeros(d, dtype=torch.float64)
    r = torch.diag(log_variance.exp())
    one = torch.eye(d, dtype=torch.float64)

    # q(z) and q(x|z), from the joint that q(x) and q(z|x) make.
    q_z_mean, q_z = w @ m + c, w @ q @ w.T + r
    gain = q @ w.T @ torch.linalg.inv(q_z)
    q_x_given_z = q - gain @ w @ q
    # mean of q(x|z) less that of p(x|z), as slope · z + offset
    slope, offset = gain - a, m - gain @ q_z_mean - b
    objective_1 = mean_kl(slope, offset, s, q_x_given_z) + kl(torch.zeros(d).double(), one, q_z_mean, q_z)

    term_1 = mean_kl(-a, m - b, s, q)
    root = torch.linalg.cholesky(s)
    points = math.sqrt(d + n) * torch.cat([torch.eye(d + n), -torch.eye(d + n)]).double()
    z, noise = points[:, :d], points[:, d:]
    x = z @ a.T + b + noise @ root.T
    heads = (x @ w.T + c, log_variance.expand(len(x), -1))[: 2 if diagonal else 1]
    family = Diagonal(d, log_variance_min=-20, log_variance_max=20) if diagonal else Identity(d)
    term_2 = -family(*heads).log_prob(z).mean()
    constant = -d * (1 + math.log(2 * math.pi)) / 2

    torch.testing.assert_close(objective_1, term_1 + term_2 + constant, rtol=1e-9, atol=1e-6)
