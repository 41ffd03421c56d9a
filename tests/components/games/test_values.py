"""What each game is worth at its optimal discriminator, on discrete distributions, and how it moves G.

q is the data's distribution and p the generator's, both over a few points. Expectations are sums; the optimal
discriminator is found by gradient descent on the game's own loss, and compared with the formula.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dalikit.components.games.fkl import FKL
from dalikit.components.games.gan import GAN
from dalikit.components.games.hinge import Hinge
from dalikit.components.games.wgan import WGAN

masses = st.lists(st.floats(0.05, 1), min_size=4, max_size=4).map(
    lambda m: torch.tensor(m, dtype=torch.float64) / sum(m)
)


def kl(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p / q).log()).sum()


def value(game, logits: Tensor, q: Tensor, p: Tensor) -> Tensor:
    """V = -(E_q ... + E_p ...) of the game's loss, expectations as sums over the points."""
    total = torch.zeros((), dtype=torch.float64)
    for i in range(len(q)):
        for j in range(len(p)):
            total = total - q[i] * p[j] * game.discriminator_loss(logits[i : i + 1], logits[j : j + 1]).sum()
    return total


def best_logits(game, q: Tensor, p: Tensor) -> Tensor:
    logits = torch.zeros(len(q), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = -value(game, logits, q, p)
        loss.backward()
        return loss

    optimizer.step(closure)
    return logits.detach()


def generator_slope(game, logits: Tensor, theta: Tensor) -> Tensor:
    """The gradient in θ of E_p loss_G, p = softmax(θ), D held fixed."""
    theta = theta.clone().requires_grad_(True)
    (theta.softmax(0) * game.generator_loss(logits)).sum().backward()
    return theta.grad


def through_softmax(p: Tensor, slope: Tensor) -> Tensor:
    """dL/dθ where dL/dp is `slope`."""
    return p * (slope - (p * slope).sum())


@settings(max_examples=25, deadline=None)
@given(q=masses, p=masses)
def test_fkl_value_is_one_kl_and_its_generator_loss_the_other(q: Tensor, p: Tensor) -> None:
    game = FKL()
    logits = best_logits(game, q, p)
    torch.testing.assert_close(logits, 1 + (q / p).log(), rtol=0, atol=1e-3)
    torch.testing.assert_close(value(game, logits, q, p), kl(q, p), rtol=0, atol=1e-6)
    exact = 1 + (q / p).log()
    torch.testing.assert_close((p * game.generator_loss(exact)).sum(), kl(p, q) - 1, rtol=0, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(q=masses, p=masses)
def test_gan_value_is_the_jensen_shannon_divergence(q: Tensor, p: Tensor) -> None:
    game = GAN()
    logits = best_logits(game, q, p)
    torch.testing.assert_close(logits, (q / p).log(), rtol=0, atol=1e-3)
    middle = (q + p) / 2
    jsd = (kl(q, middle) + kl(p, middle)) / 2
    torch.testing.assert_close(value(game, logits, q, p), 2 * jsd - math.log(4), rtol=0, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(q=masses, p=masses)
def test_gan_generator_losses(q: Tensor, p: Tensor) -> None:
    logits = (q / p).log()

    def mean(kind: str) -> Tensor:
        return (p * GAN(generator_loss=kind).generator_loss(logits)).sum()

    middle = (q + p) / 2
    torch.testing.assert_close(mean("kl"), kl(p, q), rtol=0, atol=1e-12)
    torch.testing.assert_close(mean("nonsaturating"), (p * (1 + p / q).log()).sum(), rtol=0, atol=1e-12)
    torch.testing.assert_close(mean("saturating"), kl(p, middle) - math.log(2), rtol=0, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(q=masses, p=masses)
def test_generator_gradients(q: Tensor, p: Tensor) -> None:
    """Against closed forms; of `kl` and `fkl` it is the gradient of KL(p‖q) itself, D's own term being 0."""
    theta, ratio = p.log(), q / p
    of_kl = through_softmax(p, (p / q).log() + 1)
    cases = [
        (GAN(generator_loss="kl"), ratio.log(), of_kl),
        (FKL(), 1 + ratio.log(), of_kl),
        (GAN(), ratio.log(), through_softmax(p, (1 + p / q).log())),
        (GAN(generator_loss="saturating"), ratio.log(), through_softmax(p, (p / (p + q)).log())),
        (WGAN(), ratio, through_softmax(p, -ratio)),
        (Hinge(), ratio, through_softmax(p, -ratio)),
    ]
    for game, logits, expected in cases:
        torch.testing.assert_close(generator_slope(game, logits, theta), expected, rtol=0, atol=1e-10)


@settings(max_examples=50, deadline=None)
@given(q=masses, p=masses)
def test_hinge_value_is_the_total_variation_at_its_best_margins(q: Tensor, p: Tensor) -> None:
    """max_D -E_q max(0, 1-D) - E_p max(0, 1+D) is reached at D = sign(q - p): -2 + Σ|q - p|."""
    reached = value(Hinge(), (q - p).sign(), q, p)
    torch.testing.assert_close(reached, (q - p).abs().sum() - 2, rtol=0, atol=1e-12)
    for other in (torch.zeros(4).double(), 0.5 * (q - p).sign(), 2 * (q - p).sign()):
        assert value(Hinge(), other, q, p) <= reached + 1e-12


@settings(max_examples=50, deadline=None)
@given(q=masses, p=masses)
def test_wgan_value_is_the_earth_movers_distance_on_a_line(q: Tensor, p: Tensor) -> None:
    """On points 0, 1, 2, 3 the distance is Σ|F_q - F_p|, and the best 1-Lipschitz D follows its sign."""
    difference = (q - p).cumsum(0)[:-1]
    critic = torch.cat([torch.zeros(1).double(), -difference.sign()]).cumsum(0)
    torch.testing.assert_close(value(WGAN(), critic, q, p), difference.abs().sum(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("game", [GAN(), FKL(), Hinge(), WGAN()], ids=lambda g: g.name)
def test_joint_moves_both_sides(game) -> None:
    """The default joint loss is the generator's loss of the fakes plus that of the negated reals."""
    real, fake = torch.tensor([0.3, -1.2]), torch.tensor([2.0, 0.1])
    expected = game.generator_loss(fake) + game.generator_loss(-real)
    torch.testing.assert_close(game.joint(real, fake), expected)


@pytest.mark.parametrize("game", [GAN(), FKL(), Hinge(), WGAN()], ids=lambda g: g.name)
def test_logits_of_any_size_give_finite_losses_where_the_loss_is_finite(game) -> None:
    extreme = torch.tensor([-80.0, -1.0, 0.0, 1.0, 80.0])
    assert game.discriminator_loss(extreme, extreme).isfinite().all()
    assert game.generator_loss(extreme).isfinite().all()


@pytest.mark.parametrize("kind", ["nonsaturating", "kl"])
def test_a_rejected_sample_still_has_a_slope(kind: str) -> None:
    logits = torch.tensor([-50.0], requires_grad=True)
    GAN(generator_loss=kind).generator_loss(logits).sum().backward()
    torch.testing.assert_close(logits.grad, torch.tensor([-1.0]))
