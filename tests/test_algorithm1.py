"""One iteration of the trainer against Algorithm 1 written out in plain torch, in float64.

The restatement shares no code with dalikit beyond the networks' forward passes: it has its own losses,
its own posterior log-density and its own Adam (tests/adam.py).
"""

import copy
import math

import pytest
import torch
from adam import Adam, descend, softplus
from players import Points, Z, small
from torch import Tensor, nn

from dalikit.components.games.fkl import FKL
from dalikit.components.games.gan import GAN
from dalikit.components.games.hinge import Hinge
from dalikit.components.games.wgan import WGAN
from dalikit.components.methods.dali import DALI
from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.components.posteriors.identity import Identity
from dalikit.interfaces import AdversarialGame
from dalikit.randomness import derived_seed
from dalikit.training import Trainer

BATCH, LAM, RATE, BETAS = 6, 0.7, 1e-2, (0.5, 0.9)


def norm_penalty(d, real: Tensor, fake: Tensor) -> Tensor:
    t = torch.rand(len(real), 1, dtype=real.dtype)
    x = (fake + t * (real - fake)).requires_grad_(True)
    (g,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
    return 10 * ((g.pow(2).sum(1) + 1e-12).sqrt() - 1).pow(2).mean()


def r1_penalty(d, real: Tensor, fake: Tensor) -> Tensor:
    x = real.clone().requires_grad_(True)
    (g,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
    return 0.3 * 0.5 * g.pow(2).sum(1).mean()


def nothing(d, real: Tensor, fake: Tensor) -> float:
    return 0.0


# game, D's loss, G's loss, penalty, D's steps, bound on D's weights
GAMES = {
    "gan": (GAN(), lambda r, f: softplus(-r) + softplus(f), lambda f: softplus(-f), nothing, 1, None),
    "gan-saturating": (
        GAN(generator_loss="saturating"),
        lambda r, f: softplus(-r) + softplus(f),
        lambda f: -softplus(f),
        nothing,
        1,
        None,
    ),
    "gan-kl": (
        GAN(generator_loss="kl"),
        lambda r, f: softplus(-r) + softplus(f),
        lambda f: -f,
        nothing,
        1,
        None,
    ),
    "gan-r1": (
        GAN(r1=0.3),
        lambda r, f: softplus(-r) + softplus(f),
        lambda f: softplus(-f),
        r1_penalty,
        1,
        None,
    ),
    "fkl": (FKL(), lambda r, f: torch.exp(f - 1) - r, lambda f: -f, nothing, 1, None),
    "hinge": (
        Hinge(),
        lambda r, f: (1 - r).clamp(min=0) + (1 + f).clamp(min=0),
        lambda f: -f,
        nothing,
        1,
        None,
    ),
    "wgan": (WGAN(discriminator_steps=1), lambda r, f: f - r, lambda f: -f, norm_penalty, 1, None),
    "wgan-5": (WGAN(), lambda r, f: f - r, lambda f: -f, norm_penalty, 5, None),
    "wgan-clip": (WGAN(lipschitz="clip", clip=0.05), lambda r, f: f - r, lambda f: -f, nothing, 5, 0.05),
}


def diagonal_nll(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    terms = (z - mean) ** 2 / torch.exp(log_variance) + log_variance + math.log(2 * math.pi)
    return 0.5 * terms.sum(1)


def identity_nll(z: Tensor, mean: Tensor) -> Tensor:
    return 0.5 * ((z - mean) ** 2 + math.log(2 * math.pi)).sum(1)


POSTERIORS = {"diag": (Diagonal, diagonal_nll), "identity": (Identity, identity_nll)}


def method(posterior: str, game: AdversarialGame, **settings: float) -> DALI:
    torch.manual_seed(1)
    return small(DALI, family=POSTERIORS[posterior][0], game=game, **settings).double()


@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("game", GAMES)
def test_one_iteration_is_algorithm_1(game: str, posterior: str) -> None:
    rules, d_loss, g_loss, penalty, d_steps, bound = GAMES[game]
    trained = method(posterior, rules, lam=LAM)
    mine = copy.deepcopy(trained)
    data = Points(BATCH, torch.float64)
    Trainer(trained, data, (), 3, steps=1, batch_size=BATCH, lr=RATE, optimizer={"betas": BETAS}).fit()

    g_, d_, e_ = mine.generator, mine.discriminator, mine.encoder
    order = torch.Generator().manual_seed(derived_seed(3, "order"))
    rng = torch.random.get_rng_state()
    torch.manual_seed(derived_seed(3, "training"))
    d_adam = Adam(d_, RATE, BETAS)
    for _ in range(d_steps):
        real = data.data[torch.randperm(BATCH, generator=order)]
        z = torch.randn(BATCH, Z, dtype=torch.float64)
        fake = g_(z)
        loss = d_loss(d_(real), d_(fake.detach())).mean() + penalty(d_, real, fake.detach())
        descend(loss, d_adam)
        if bound is not None:
            with torch.no_grad():
                for parameter in d_.parameters():
                    parameter.copy_(parameter.clamp(-bound, bound))
    h = d_.trunk(fake)
    loss = g_loss(d_.head(h)).mean() + LAM / Z * POSTERIORS[posterior][1](z, *e_(h)).mean()
    descend(loss, Adam(g_, RATE, BETAS), Adam(e_, RATE, BETAS))
    torch.random.set_rng_state(rng)

    for a, b in zip(trained.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


@pytest.mark.parametrize("game", GAMES)
def test_the_discriminator_reads_real_then_generated_data_and_g_and_e_read_the_updated_one(game: str) -> None:
    """Order matters for discriminators with a state: batch statistics, spectral norm's vectors."""
    rules, *_, d_steps, _ = GAMES[game]
    trained = method("diag", rules)
    d = trained.discriminator
    read: list[tuple[Tensor, Tensor]] = []

    def record(trunk: nn.Module, inputs: tuple[Tensor]) -> None:
        read.append((inputs[0].detach().clone(), next(d.parameters()).detach().clone()))

    before = next(d.parameters()).detach().clone()
    data = Points(BATCH, torch.float64)
    trainer = Trainer(trained, data, (), 3, steps=1, batch_size=BATCH, lr=RATE)
    d.trunk.register_forward_pre_hook(record)
    trainer.fit()
    known = {tuple(row) for row in data.data.tolist()}
    is_real = [all(tuple(row) in known for row in x.tolist()) for x, _ in read]
    per_step = (len(read) - 1) // d_steps  # a penalty reads once more; G and E read once, at the end
    for step in range(d_steps):
        assert is_real[per_step * step : per_step * step + 2] == [True, False]
    assert not is_real[-1]
    assert torch.equal(read[0][1], before)
    assert torch.equal(read[-1][1], next(d.parameters()).detach())
    assert not torch.equal(read[-1][1], before)
