"""VAE and VAE/GAN: one iteration each against their papers' losses written out, in float64."""

import copy

import torch
from adam import Adam, softplus

from dalikit.components.games.gan import GAN
from dalikit.components.methods.vae import VAE
from dalikit.components.methods.vaegan import VAEGAN
from dalikit.components.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator
from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.compose import EncoderWithTrunk
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
    d = MLPDiscriminator((2,), width=8).double()
    e = EncoderWithTrunk(MLPDiscriminator((2,), width=8), MLPEncoder((8,), (Z, Z), width=8)).double()
    return g, d, e


def drawn():
    """The trainer's batch and codes; what follows comes from the same stream."""
    order = torch.Generator().manual_seed(derived_seed(3, "order"))
    x = Points().data[torch.randperm(BATCH, generator=order)]
    torch.manual_seed(derived_seed(3, "training"))
    return x, noise()


def noise():
    return torch.randn(BATCH, Z, dtype=torch.float64)


def heads(e, x):
    return e.encoder(e.trunk.features(x))


def draw(e, x):
    mean, log_variance = heads(e, x)
    return mean + torch.exp(log_variance / 2) * noise()


def kl(e, x):
    """½ Σ_j (σ² + μ² - 1 - log σ²), Kingma and Welling's appendix B."""
    mean, log_variance = heads(e, x)
    return 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(1)


def train(method):
    Trainer(method, Points(), (), 3, steps=1, batch_size=BATCH, lr=RATE, betas=BETAS).fit()


def same(*pairs):
    for trained, expected in pairs:
        for a, b in zip(trained.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def test_vae():
    g, _, e = players()
    g_, e_ = copy.deepcopy(g), copy.deepcopy(e)
    train(VAE(g, e, Diagonal(Z), sigma=0.4))
    x, _ = drawn()
    again = g_(draw(e_, x))
    # -log N(x; G(z), σ²I) + KL, times σ²/|X|, without the constant
    bound = ((x - again) ** 2).sum(1) / (2 * 0.4**2) + kl(e_, x)
    Adam([*g_.parameters(), *e_.parameters()], RATE, BETAS).step((bound * 0.4**2 / 2).mean())
    same((g, g_), (e, e_))


def test_vaegan():
    g, d, e = players()
    g_, d_, e_ = (copy.deepcopy(m) for m in (g, d, e))
    train(VAEGAN(g, d, e, Diagonal(Z), GAN(), beta=0.2, gamma=0.3))
    x, z = drawn()
    again, sampled = g_(draw(e_, x)).detach(), g_(z)
    logit = d_.forward
    d_loss = softplus(-logit(x)) + 0.5 * (softplus(logit(sampled.detach())) + softplus(logit(again)))
    Adam(d_.parameters(), RATE, BETAS).step(d_loss.mean())

    def apart(y):
        return 0.5 * ((d_.features(x) - d_.features(y)) ** 2).mean()

    Adam(e_.parameters(), RATE, BETAS).step(apart(g_(draw(e_, x))) + 0.2 * kl(e_, x).mean() / Z)
    again = g_(draw(e_, x).detach())
    g_loss = 0.5 * (softplus(-logit(sampled)) + softplus(-logit(again))).mean() + 0.3 * apart(again)
    Adam(g_.parameters(), RATE, BETAS).step(g_loss)
    same((g, g_), (d, d_), (e, e_))
