"""Unrolled GANs: the look ahead written out, and against what the steps would really do; the ring of 8."""

import pytest
import torch
from adam import descend, softplus
from iteration import BATCH, BETAS, OPTIONS, RATE, adam, check_one_iteration
from players import Points, Z, small
from ring import check_ring
from torch import Tensor

from dalikit.components.games.gan import GAN
from dalikit.components.methods.gan import PlainGAN
from dalikit.components.methods.unrolled import Unrolled
from dalikit.interfaces import AdversarialGame, Batch, Iteration
from dalikit.training import Trainer


def by_hand(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """The discriminator's layers with other weights."""
    h = torch.relu(x @ weights["trunk.2.weight"].T + weights["trunk.2.bias"])
    h = torch.relu(h @ weights["head.0.weight"].T + weights["head.0.bias"])
    return (h @ weights["head.2.weight"].T + weights["head.2.bias"])[:, 0]


def looked_ahead(mine: Unrolled, x: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """D's weights after Adam's first steps, as functions of G's."""
    weights = {
        name: p.detach().clone().requires_grad_(True) for name, p in mine.discriminator.named_parameters()
    }
    first = {name: torch.zeros_like(p) for name, p in weights.items()}
    second = dict(first)
    for k in range(1, mine.unroll + 1):
        loss = (softplus(-by_hand(weights, x)) + softplus(by_hand(weights, fake))).mean()
        slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        ahead = {}
        for (name, value), slope in zip(weights.items(), slopes, strict=True):
            first[name] = BETAS[0] * first[name] + (1 - BETAS[0]) * slope
            second[name] = BETAS[1] * second[name] + (1 - BETAS[1]) * slope**2
            scale = (second[name] / (1 - BETAS[1] ** k) + 1e-16).sqrt() + 1e-8
            ahead[name] = value - RATE * first[name] / (1 - BETAS[0] ** k) / scale
        weights = ahead
    return weights


def restate(mine: Unrolled, x: Tensor, z: Tensor) -> None:
    g, d = mine.generator, mine.discriminator
    fake = g(z)
    descend(softplus(-by_hand(looked_ahead(mine, x, fake), fake)).mean(), adam(g))
    descend((softplus(-d(x)) + softplus(d(g(z).detach()))).mean(), adam(d))


@pytest.mark.parametrize("unroll", [0, 1, 3])
def test_one_iteration_differentiates_through_the_unrolled_steps(unroll: int) -> None:
    check_one_iteration(restate, Unrolled, unroll=unroll)


def test_the_unrolled_steps_are_those_that_the_optimizer_would_take() -> None:
    """In the middle of a training, with moments: K steps of the real optimizer lead to the same weights."""
    torch.manual_seed(1)
    method = small(Unrolled, unroll=4).double()
    g, d, data = method.generator, method.discriminator, Points(BATCH)
    trainer = Trainer(method, data, (), 0, steps=5, batch_size=BATCH, **OPTIONS)
    trainer.fit()
    x, z = data.data.double(), torch.randn(BATCH, Z, dtype=torch.float64)
    ahead = method._ahead(Iteration(method.generate, Batch(x), z))
    optimizer, fake = trainer.optimizers["discriminator"].torch, g(z).detach()
    for _ in range(4):
        optimizer.zero_grad()
        (softplus(-d(x)) + softplus(d(fake))).mean().backward()
        optimizer.step()
    for name, parameter in d.named_parameters():
        torch.testing.assert_close(ahead[name], parameter, rtol=0, atol=1e-7)


class Paired(AdversarialGame):
    """A loss of G that reads the real logits, which follow G here: D's steps ahead depend on it."""

    name, needs_real = "paired", True

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real)

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return softplus(real - fake)


@pytest.mark.parametrize("game", [GAN(), Paired()])
def test_the_gradient_is_the_slope_of_the_loss(game: AdversarialGame) -> None:
    torch.manual_seed(1)
    method = small(Unrolled, game=game, unroll=3).double()
    data = Points(BATCH)
    Trainer(method, data, (), 0, steps=2, batch_size=BATCH, **OPTIONS).fit()
    x, z = data.data.double(), torch.randn(BATCH, Z, dtype=torch.float64)
    weight, step = next(method.generator.parameters()), 1e-6

    def loss() -> Tensor:
        return method.generator_loss(Iteration(method.generate, Batch(x), z)).total

    (slope,) = torch.autograd.grad(loss(), [weight])
    for place in ((0, 0), (3, 1)):
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[place] += sign * step
            ends.append(float(loss().detach()))
            with torch.no_grad():
                weight[place] -= sign * step
        assert float(slope[place]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4, abs=1e-9)


def test_without_unrolling_g_takes_a_plain_gans_step() -> None:
    ends = []
    for cls, settings in ((Unrolled, {"unroll": 0}), (PlainGAN, {})):
        torch.manual_seed(1)
        method = small(cls, **settings).double()
        trainer = Trainer(method, Points(BATCH), (), 3, steps=1, batch_size=BATCH, lr=RATE)
        trainer.phases = [p for p in trainer.phases if p.name == "generator"]
        trainer.fit()
        ends.append([p.detach() for p in method.generator.parameters()])
    for a, b in zip(*ends, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_ring_of_8() -> None:
    # Seeds 0, 1 and 2 reached all 8 modes, and 0.32, 0.35 and 0.31 of high quality; chance is 0.15. With
    # unroll=0 seed 0 ended at 1 mode and 0.00; with a first beta of 0, at 8 modes and 0.20.
    check_ring(Unrolled, 0.28, trainer={"steps": 400, "lr": 8e-3, "optimizer": {"betas": (0.5, 0.99)}})
