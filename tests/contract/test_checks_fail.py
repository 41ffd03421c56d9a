"""The contract's checks find what breaks the contract."""

import pytest
import torch
from torch import nn

from dalikit import testing
from dalikit.components.games.gan import GAN
from dalikit.components.methods.gan import PlainGAN
from dalikit.components.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator
from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.interfaces import Dataset, Phase, PhaseLoss, TensorSplit


class Points(Dataset):
    name, x_shape, value_range, preparation = "points", (2,), None, "zeros and ones"

    def split(self, part):
        return TensorSplit(torch.ones(12, 2))


def gan():
    torch.manual_seed(0)
    return PlainGAN(MLPGenerator(3, (2,), None), MLPDiscriminator((2,)), GAN())


class MeanLoss(GAN):
    def discriminator_loss(self, real, fake):
        return super().discriminator_loss(real, fake).mean()


class BlindToReal(GAN):
    def discriminator_loss(self, real, fake):
        return super().discriminator_loss(real.detach(), fake)


class AveragesOverSamples(GAN):
    def discriminator_loss(self, real, fake):
        return super().discriminator_loss(real, fake) / (len(fake) // len(real))


@pytest.mark.parametrize(
    ("game", "says"),
    [(MeanLoss(), "shape"), (BlindToReal(), "real"), (AveragesOverSamples(), "summed")],
)
def test_a_game(game, says):
    with pytest.raises(AssertionError, match=says):
        testing.check_game(game)


class Clamped(Diagonal):
    def forward(self, *heads):
        mean, log_variance = heads
        return super().forward(mean, log_variance.clamp(9, 9.1))


def test_a_posterior_that_ignores_a_head():
    with pytest.raises(AssertionError, match="head 1"):
        testing.check_posterior(Clamped)


class TooLoud(MLPGenerator):
    def forward(self, z):
        return 3 * super().forward(z)


class Unused(MLPGenerator):
    def __init__(self, *shapes):
        super().__init__(*shapes)
        self.spare = nn.Linear(1, 1)


@pytest.mark.parametrize(("family", "says"), [(TooLoud, "within"), (Unused, "spare")])
def test_a_generator(family, says):
    with pytest.raises(AssertionError, match=says):
        testing.check_generator(family)


class WrongFeatures(MLPDiscriminator):
    def __init__(self, x_shape):
        super().__init__(x_shape)
        self.feature_shape = (1, 2)


def test_a_discriminator_that_misstates_its_features():
    with pytest.raises(AssertionError, match="features"):
        testing.check_discriminator(WrongFeatures)


class OneTensor(MLPEncoder):
    def forward(self, h):
        return torch.cat(super().forward(h), 1)


def test_an_encoder_that_joins_its_heads():
    with pytest.raises(AssertionError, match="tuple"):
        testing.check_encoder(OneTensor)


class TrainsOnTheSide(PlainGAN):
    def discriminator_loss(self, iteration):
        with torch.no_grad():
            self.generator.net[0].weight.add_(1)
        return super().discriminator_loss(iteration)


class TrainsNothing(PlainGAN):
    def phases(self):
        def loss(iteration):
            zero = 0 * self.discriminator(iteration.real).sum()
            return PhaseLoss(zero, {})

        return (Phase("idle", ("discriminator",), loss),)


class Unseeded(PlainGAN):
    def prior(self, n):
        return torch.randn(n, 3, generator=torch.Generator().manual_seed(torch.seed() % 2**31))


@pytest.mark.parametrize(
    ("family", "says"),
    [(TrainsOnTheSide, "generator"), (TrainsNothing, "none of its"), (Unseeded, "same parameters")],
)
def test_a_method(family, says):
    def build():
        plain = gan()
        return family(plain.generator, plain.discriminator, plain.game)

    with pytest.raises(AssertionError, match=says):
        testing.check_method(build, Points())


class RestlessSplit(TensorSplit):
    def take(self, index, rng):
        return torch.rand(len(index), 2)


class Restless(Points):
    def split(self, part):
        return RestlessSplit(torch.ones(12, 2))


def test_a_dataset_that_changes():
    with pytest.raises(AssertionError, match="generator"):
        testing.check_dataset(Restless())
