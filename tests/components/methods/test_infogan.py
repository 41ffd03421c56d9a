"""InfoGAN against its two losses written out, and on the ring of 8."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from adam import descend, softplus
from iteration import BATCH, RATIO, adam, check_one_iteration, weigher
from players import Points, Z, small
from ring import check_ring
from torch import Tensor

from dalikit import testing
from dalikit.components.datasets.mixtures import Ring8
from dalikit.components.games.gan import GAN
from dalikit.components.methods.infogan import InfoGAN
from dalikit.errors import UnfitError


def restate(weigh: Callable[..., Tensor], mine: InfoGAN, x: Tensor, z: Tensor) -> None:
    g, d, e = mine.generator, mine.discriminator, mine.encoder
    g_adam, d_adam, e_adam = adam(g), adam(d), adam(e)
    descend((softplus(-d(x)) + softplus(d(g(z)))).sum() / BATCH, d_adam)
    fake = g(z)
    h = d.trunk(fake)
    mean, log_variance = (head[:, :2] for head in e(h))
    nll = ((z[:, :2] - mean) ** 2 / torch.exp(log_variance) + log_variance + math.log(2 * math.pi)).sum(1) / 2
    game, nll = softplus(-d.head(h)).sum() / BATCH, nll.sum() / BATCH / 2
    descend(game + weigh(nll, game, fake) * nll, g_adam, e_adam)


@pytest.mark.parametrize("weight", [0.7, "balanced"])
def test_one_iteration_is_the_papers(weight: float | str) -> None:
    check_one_iteration(partial(restate, weigher(weight)), InfoGAN, codes=2, lam=weight, ratio=RATIO)


def test_what_is_not_code_is_the_priors() -> None:
    q = small(InfoGAN, codes=2).posterior(torch.randn(5, 2))
    assert q.mean.shape == (5, Z)
    assert torch.equal(q.mean[:, 2:], torch.zeros(5, 1))
    assert torch.equal(q.stddev[:, 2:], torch.ones(5, 1))
    assert (q.mean[:, :2] != 0).all()


def test_more_codes_than_z_has() -> None:
    with pytest.raises(UnfitError, match="codes=4"):
        small(InfoGAN, codes=4)


def test_ring_of_8() -> None:
    # Seeds 0, 1 and 2 reached all 8 modes, and 0.78, 0.78 and 0.79 of high quality; chance is 0.08.
    check_ring(InfoGAN, 0.6, Ring8(), {"lr": 3e-3}, game=GAN(r1=1e-4))


def test_contract() -> None:
    testing.check_method(lambda: small(InfoGAN), Points())
