"""Unrolled GANs: the look ahead against one written out, and against what the steps would really do."""

import copy

import pytest
import torch
from adam import Adam, softplus
from players import Points

from dalikit.components.games.gan import GAN
from dalikit.components.methods.gan import PlainGAN
from dalikit.components.methods.unrolled import Unrolled
from dalikit.components.networks.mlp import MLPDiscriminator, MLPGenerator
from dalikit.interfaces import Iteration
from dalikit.randomness import derived_seed
from dalikit.training import Trainer

Z, BATCH, RATE, BETAS = 3, 6, 1e-2, (0.5, 0.9)


class Doubles(Points):
    def __init__(self):
        super().__init__(BATCH)
        self.data = self.data.double()


def players():
    torch.manual_seed(1)
    return MLPGenerator(Z, (2,), None, width=8).double(), MLPDiscriminator((2,), width=8).double()


def by_hand(d, weights, x):
    """The discriminator's layers with other weights."""
    h = torch.relu(x @ weights["trunk.1.weight"].T + weights["trunk.1.bias"])
    h = torch.relu(h @ weights["logit.0.weight"].T + weights["logit.0.bias"])
    return (h @ weights["logit.2.weight"].T + weights["logit.2.bias"])[:, 0]


@pytest.mark.parametrize("unroll", [0, 1, 3])
def test_one_iteration_differentiates_through_the_unrolled_steps(unroll):
    g, d = players()
    g_, d_ = copy.deepcopy(g), copy.deepcopy(d)
    Trainer(
        Unrolled(g, d, GAN(), unroll=unroll),
        Doubles(),
        (),
        3,
        steps=1,
        batch_size=BATCH,
        lr=RATE,
        betas=BETAS,
    ).fit()

    order = torch.Generator().manual_seed(derived_seed(3, "order"))
    x = Doubles().data[torch.randperm(BATCH, generator=order)]
    torch.manual_seed(derived_seed(3, "training"))
    z = torch.randn(BATCH, Z, dtype=torch.float64)

    fake = g_(z)
    weights = {name: p.detach().clone().requires_grad_(True) for name, p in d_.named_parameters()}
    first = {name: torch.zeros_like(p) for name, p in weights.items()}
    second = dict(first)
    for k in range(1, unroll + 1):
        loss = (softplus(-by_hand(d_, weights, x)) + softplus(by_hand(d_, weights, fake))).mean()
        slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        ahead = {}
        for (name, value), slope in zip(weights.items(), slopes, strict=True):
            first[name] = BETAS[0] * first[name] + (1 - BETAS[0]) * slope
            second[name] = BETAS[1] * second[name] + (1 - BETAS[1]) * slope**2
            scale = (second[name] / (1 - BETAS[1] ** k) + 1e-16).sqrt() + 1e-8
            ahead[name] = value - RATE * first[name] / (1 - BETAS[0] ** k) / scale
        weights = ahead
    Adam(g_.parameters(), RATE, BETAS).step(softplus(-by_hand(d_, weights, fake)).mean())
    loss = softplus(-d_(x)) + softplus(d_(g_(z).detach()))
    Adam(d_.parameters(), RATE, BETAS).step(loss.mean())
    for trained, expected in ((g, g_), (d, d_)):
        for a, b in zip(trained.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def test_the_unrolled_steps_are_those_that_the_optimizer_would_take():
    """In the middle of a training, with moments: K steps of the real optimizer lead to the same weights."""
    g, d = players()
    method = Unrolled(g, d, GAN(), unroll=4)
    trainer = Trainer(method, Doubles(), (), 0, steps=5, batch_size=BATCH, lr=RATE, betas=BETAS)
    trainer.fit()
    x, z = Doubles().data, torch.randn(BATCH, Z, dtype=torch.float64)
    ahead = method._ahead(Iteration(method.generate, x, z))
    adam, fake = trainer.optimizers["discriminator"].adam, g(z).detach()
    for _ in range(4):
        adam.zero_grad()
        (softplus(-d(x)) + softplus(d(fake))).mean().backward()
        adam.step()
    for name, parameter in d.named_parameters():
        torch.testing.assert_close(ahead[name], parameter, rtol=0, atol=1e-7)


def test_without_unrolling_g_takes_a_plain_gans_step():
    ends = []
    for method in (Unrolled, PlainGAN):
        g, d = players()
        built = method(g, d, GAN(), unroll=0) if method is Unrolled else method(g, d, GAN())
        (phase,) = [p for p in built.phases() if p.name == "generator"]
        built.phases = lambda phase=phase: (phase,)
        built.bind = lambda optimizers, built=built, d=d: setattr(
            built, "_adam", torch.optim.Adam(d.parameters())
        )
        Trainer(built, Doubles(), (), 3, steps=1, batch_size=BATCH, lr=RATE).fit()
        ends.append([p.detach() for p in g.parameters()])
    for a, b in zip(*ends, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
