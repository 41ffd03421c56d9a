"""ALI, BiGAN, ALICE and VEEGAN: one iteration each against their papers' losses written out, in float64."""

import copy
import math

import pytest
import torch
from adam import Adam, softplus

from dalikit.components.games.gan import GAN
from dalikit.components.methods.ali import ALI
from dalikit.components.methods.alice import ALICE
from dalikit.components.methods.veegan import VEEGAN
from dalikit.components.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator
from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.compose import EncoderWithTrunk, JointDiscriminator, PairDiscriminator
from dalikit.interfaces import Dataset, TensorSplit
from dalikit.randomness import derived_seed
from dalikit.training import Trainer

Z, BATCH, RATE, BETAS = 3, 6, 1e-2, (0.5, 0.9)


class Points(Dataset):
    name, x_shape, value_range, preparation = "points", (2,), None, "made by the test"

    def __init__(self):
        self.data = torch.randn(BATCH, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)

    def split(self, part):
        return TensorSplit(self.data)


def players():
    torch.manual_seed(1)
    g = MLPGenerator(Z, (2,), None, width=8).double()
    d = JointDiscriminator(MLPDiscriminator((2,), width=8), (2,), Z, width=7).double()
    e = EncoderWithTrunk(MLPDiscriminator((2,), width=8), MLPEncoder((8,), (Z, Z), width=8)).double()
    c = PairDiscriminator(MLPDiscriminator((2,), width=8), width=7).double()
    return g, d, e, c


class Restated:
    """The papers' pieces on copies of the players, and the draws in the trainer's order."""

    def __init__(self, *modules):
        self.g, self.d, self.e, self.c = [copy.deepcopy(m) for m in modules]
        order = torch.Generator().manual_seed(derived_seed(3, "order"))
        self.x = Points().data[torch.randperm(BATCH, generator=order)]
        self.state = torch.get_rng_state()
        torch.manual_seed(derived_seed(3, "training"))
        self.z = self.noise()

    def noise(self):
        return torch.randn(BATCH, Z, dtype=torch.float64)

    def heads(self, x):
        return self.e.encoder(self.e.trunk.features(x))

    def draw(self, x):
        mean, log_variance = self.heads(x)
        return mean + torch.exp(log_variance / 2) * self.noise()

    def logits(self, x, z):
        return self.d.joint(torch.cat([self.d.trunk.features(x), z], 1))[:, 0]

    def cycle_logits(self, x, y):
        return self.c.joint(torch.cat([self.c.trunk.features(x), self.c.trunk.features(y)], 1))[:, 0]

    def adam(self, *modules):
        return Adam([p for m in modules for p in m.parameters()], RATE, BETAS)

    def equals(self, *modules):
        torch.set_rng_state(self.state)
        mine = (self.g, self.d, self.e, self.c)
        for trained, expected in zip(modules, mine, strict=False):
            for a, b in zip(trained.parameters(), expected.parameters(), strict=True):
                torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def train(method) -> None:
    trainer = Trainer(method, Points(), (), 3, steps=1, batch_size=BATCH, lr=RATE, betas=BETAS)
    trainer.fit()


@pytest.mark.parametrize("deterministic", [False, True])
def test_ali_and_bigan(deterministic):
    g, d, e, c = players()
    r = Restated(g, d, e, c)
    train(ALI(g, d, e, Diagonal(Z), GAN(), deterministic=deterministic))

    def inferred():
        return r.heads(r.x)[0] if deterministic else r.draw(r.x)

    z_hat, fake = inferred().detach(), r.g(r.z)
    r.adam(r.d).step((softplus(-r.logits(r.x, z_hat)) + softplus(r.logits(fake.detach(), r.z))).mean())
    real, generated = r.logits(r.x, inferred()), r.logits(fake, r.z)
    # G lets its pairs pass for real, -log s(D); E its own for generated, -log(1 - s(D)): both non-saturating
    r.adam(r.g, r.e).step((softplus(-generated) + softplus(real)).mean())
    r.equals(g, d, e)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_alice_explicit(norm):
    g, d, e, c = players()
    r = Restated(g, d, e, c)
    train(ALICE(g, d, e, Diagonal(Z), GAN(), cycle=norm, weight=0.7))
    z_hat, fake = r.draw(r.x).detach(), r.g(r.z)
    r.adam(r.d).step((softplus(-r.logits(r.x, z_hat)) + softplus(r.logits(fake.detach(), r.z))).mean())
    z_hat = r.draw(r.x)
    apart = r.x - r.g(z_hat)
    cycle = (apart**2).mean() if norm == "l2" else apart.abs().mean()
    adversarial = (softplus(-r.logits(fake, r.z)) + softplus(r.logits(r.x, z_hat))).mean()
    r.adam(r.g, r.e).step(adversarial + 0.7 * cycle)
    r.equals(g, d, e)


def test_alice_adversarial():
    g, d, e, c = players()
    r = Restated(g, d, e, c)
    train(ALICE(g, d, e, Diagonal(Z), GAN(), c, cycle="adversarial"))
    z_hat, fake = r.draw(r.x).detach(), r.g(r.z)
    r.adam(r.d).step((softplus(-r.logits(r.x, z_hat)) + softplus(r.logits(fake.detach(), r.z))).mean())
    again = r.g(r.draw(r.x)).detach()
    r.adam(r.c).step((softplus(-r.cycle_logits(r.x, r.x)) + softplus(r.cycle_logits(r.x, again))).mean())
    z_hat = r.draw(r.x)
    cycle = softplus(-r.cycle_logits(r.x, r.g(z_hat))).mean()
    adversarial = (softplus(-r.logits(fake, r.z)) + softplus(r.logits(r.x, z_hat))).mean()
    r.adam(r.g, r.e).step(adversarial + cycle)
    r.equals(g, d, e, c)


def test_veegan():
    g, d, e, c = players()
    r = Restated(g, d, e, c)
    train(VEEGAN(g, d, e, Diagonal(Z), GAN(generator_loss="kl"), weight=0.9))
    z_hat, fake = r.draw(r.x).detach(), r.g(r.z)
    r.adam(r.d).step((softplus(-r.logits(r.x, z_hat)) + softplus(r.logits(fake.detach(), r.z))).mean())
    r.noise()  # the game is offered inferred pairs too, which this one does not read
    mean, log_variance = r.heads(fake)
    nll = 0.5 * ((r.z - mean) ** 2 / log_variance.exp() + log_variance + math.log(2 * math.pi)).sum(1)
    r.adam(r.g, r.e).step(-r.logits(fake, r.z).mean() + 0.9 / Z * nll.mean())
    r.equals(g, d, e)


def test_veegans_reconstructor_learns_from_generated_codes_alone():
    g, d, e, _ = players()
    method = VEEGAN(g, d, e, Diagonal(Z), GAN(), weight=0.0)
    before = copy.deepcopy(e)
    train(method)
    assert all(torch.equal(a, b) for a, b in zip(e.parameters(), before.parameters(), strict=True))
