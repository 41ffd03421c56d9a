"""The contract's checks find what breaks the contract."""

from dataclasses import replace

import pytest
import torch
from refusing import refused
from torch import nn

from dalikit import testing
from dalikit.components.games.gan import GAN
from dalikit.components.methods.gan import PlainGAN
from dalikit.components.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator
from dalikit.components.optimizers.sgd import SGD
from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.functional.fitting import Fitting
from dalikit.interfaces import (
    Augmentation,
    Batch,
    Callback,
    Dataset,
    DataSpec,
    Derived,
    Phase,
    PhaseLoss,
    Stamp,
    TensorSplit,
)

PLANE = DataSpec((2,))


class Points(Dataset):
    name, spec, preparation = "points", PLANE, "ones"

    def split(self, part):
        return TensorSplit(torch.ones(12, 2))


def gan(cls=PlainGAN):
    torch.manual_seed(0)
    return cls(generator=MLPGenerator(3, PLANE), discriminator=MLPDiscriminator(PLANE), game=GAN())


class WrongCount(TensorSplit):
    def stamp(self):
        return replace(super().stamp(), count=13)


class AsDrawn(TensorSplit):
    """Its stamp is of what happens to be drawn."""

    def stamp(self):
        return Stamp.of_data(len(self), lambda index: Batch(self.data[index] + torch.rand(())))


class NoDigest(TensorSplit):
    def stamp(self):
        return Stamp(12, "today", 12)


@pytest.mark.parametrize(
    ("split", "says"),
    [(WrongCount, "counts 13 data"), (AsDrawn, "should have the same stamp"), (NoDigest, "sha256")],
)
def test_a_stamp(split, says):
    class Stamped(Points):
        def split(self, part):
            return split(torch.ones(12, 2))

    testing.check_dataset(Points())
    with refused(says):
        testing.check_dataset(Stamped())


class MeanLoss(GAN):
    def discriminator_loss(self, real, fake):
        return super().discriminator_loss(real, fake).mean()


class BlindToReal(GAN):
    def discriminator_loss(self, real, fake):
        return super().discriminator_loss(real.detach(), fake)


class MeanPenalty(GAN):
    def penalty(self, critic, real, fake):
        return critic(real).square().mean()


class AveragesOverSamples(GAN):
    def discriminator_loss(self, real, fake):
        return super().discriminator_loss(real, fake) / (len(fake) // len(real))


@pytest.mark.parametrize(
    ("game", "says"),
    [
        (MeanLoss(), "shape"),
        (BlindToReal(), "real"),
        (AveragesOverSamples(), "summed"),
        (MeanPenalty(r1=1.0), "penalty has shape"),
    ],
)
def test_a_game(game, says):
    with refused(says):
        testing.check_game(game)


class Clamped(Diagonal):
    def forward(self, *heads):
        mean, log_variance = heads
        return super().forward(mean, log_variance.clamp(9, 9.1))


def test_a_posterior_that_ignores_a_head():
    with refused("head 1"):
        testing.check_posterior(Clamped)


class TooLoud(MLPGenerator):
    def forward(self, z):
        return 3 * super().forward(z)


class Unused(MLPGenerator):
    def __init__(self, *shapes):
        super().__init__(*shapes)
        self.spare = nn.Linear(1, 1)


class Forgetful(MLPGenerator):
    def __init__(self, latent_size, spec):
        super().__init__(latent_size, spec)
        self.spec = DataSpec(spec.x_shape)


@pytest.mark.parametrize(
    ("family", "says"), [(TooLoud, "within"), (Unused, "spare"), (Forgetful, "its spec is")]
)
def test_a_generator(family, says):
    with refused(says):
        testing.check_generator(family)


class WrongFeatures(MLPDiscriminator):
    def __init__(self, spec):
        super().__init__(spec)
        self.feature_shape = (1, 2)


class OwnForward(MLPDiscriminator):
    def forward(self, x):
        return -super().forward(x)


class Aside(MLPDiscriminator):
    """A parameter that neither trunk nor head holds, which whoever takes the trunk would lose."""

    def __init__(self, spec):
        super().__init__(spec)
        self.bias = nn.Parameter(torch.zeros(()))
        self.head.register_forward_hook(lambda head, given, logits: logits + self.bias)


@pytest.mark.parametrize(
    ("family", "says"),
    [(WrongFeatures, "trunk has shape"), (OwnForward, "should be the head"), (Aside, "bias is neither")],
)
def test_a_discriminator(family, says):
    with refused(says):
        testing.check_discriminator(family)


class OneTensor(MLPEncoder):
    def forward(self, h):
        return torch.cat(super().forward(h), 1)


def test_an_encoder_that_joins_its_heads():
    with refused("tuple"):
        testing.check_encoder(OneTensor)


class Augments(Augmentation):
    name = "augments"

    def __init__(self, spec):
        super().__init__()


class Cuts(Augments):
    def forward(self, x):
        return x[..., 1:]


class Blind(Augments):
    def forward(self, x):
        return x.round().detach()


class Flat(Augments):
    def forward(self, x):
        return x.round()


class Mixes(Augments):
    def forward(self, x):
        return x + x.roll(1, 0)


class Drifts(Augments):
    count = 0

    def forward(self, x):
        Drifts.count += 1
        return Drifts.count * x


class SaysNothing(Augments):
    changes = False

    def forward(self, x):
        return 2 * x


class Learns(Augments):
    def __init__(self, spec):
        super().__init__(spec)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.scale * x


@pytest.mark.parametrize(
    ("family", "says"),
    [
        (Cuts, "forward has shape"),
        (Blind, "slope"),
        (Flat, "slope"),
        (Mixes, "on its own"),
        (Drifts, "torch's generator"),
        (SaysNothing, "changes = False"),
        (Learns, "nobody trains it"),
    ],
)
def test_an_augmentation(family, says):
    with refused(says):
        testing.check_augmentation(family)


class Climbs(SGD):
    def over(self, parameters, lr):
        return torch.optim.SGD(parameters, lr, maximize=True)


class FixedRate(SGD):
    def over(self, parameters, lr):
        return torch.optim.SGD(parameters, float(lr))


class HidesState(torch.optim.SGD):
    """Each step is longer than the last, by a count that its state does not hold."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, lr)
        self.count = 0

    def step(self):
        self.count += 1
        for _ in range(self.count):
            super().step()


class Hidden(SGD):
    def over(self, parameters, lr):
        return HidesState(parameters, lr)


@pytest.mark.parametrize(
    ("cls", "says"), [(Climbs, "down the gradient"), (FixedRate, "rate"), (Hidden, "goes on from a state")]
)
def test_an_optimizer(cls, says):
    with refused(says):
        testing.check_optimizer(cls())


class Watching(Callback):
    name = "watching"


class Misspelt(Watching):
    def on_step_end(self, fit):
        self.step = fit.step


class Drawing(Watching):
    def step_end(self, fit):
        torch.rand(1)


class Jumbled(Watching):
    steps = 0

    def step_end(self, fit):
        self.steps += 1

    def state(self):
        return {"steps": self.steps}

    def load_state(self, state):
        self.steps = str(state["steps"])


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (Misspelt, "a method 'on_step_end', which nobody calls; it should be called 'step_end'"),
        (Drawing, "changes? nothing of what is learned"),
        (Jumbled, "load_state should take what state gave"),
    ],
)
def test_a_callback(cls, says):
    testing.check_callback(Watching(), gan, Points())
    with refused(says):
        testing.check_callback(cls(), gan, Points())


class TrainsOnTheSide(PlainGAN):
    def discriminator_loss(self, iteration, *, penalised):
        with torch.no_grad():
            self.generator.net[0].weight.add_(1)
        return super().discriminator_loss(iteration, penalised=penalised)


class TrainsNothing(PlainGAN):
    def phases(self):
        def loss(iteration):
            zero = 0 * (self.discriminator(iteration.real).sum() + iteration.fake.sum())
            return PhaseLoss(zero, {})

        return (Phase("idle", ("discriminator", "generator"), loss),)


class Infers(PlainGAN):
    def posterior(self, x, y=None):
        return Diagonal(3)(torch.zeros(len(x), 3), torch.zeros(len(x), 3))


class Unseeded(PlainGAN):
    def prior(self, n):
        return torch.randn(n, 3, generator=torch.Generator().manual_seed(torch.seed() % 2**31))


class Certain(PlainGAN):
    def verdict(self, iteration):
        return tuple(logits.mean() for logits in super().verdict(iteration))


@pytest.mark.parametrize(
    ("family", "says"),
    [
        (TrainsOnTheSide, "generator"),
        (Certain, "verdict of what is real"),
        (TrainsNothing, "none of its"),
        (Unseeded, "other parameters"),
        (Infers, "infers = True"),
    ],
)
def test_a_method(family, says):
    with refused(says):
        testing.check_method(lambda: gan(family), Points())


class RestlessSplit(TensorSplit):
    def take(self, index, rng):
        return Batch(torch.rand(len(index), 2))


class Restless(Points):
    def split(self, part):
        return RestlessSplit(torch.ones(12, 2))


class Labelled(Points):
    spec = DataSpec((2,), classes=("a", "b"))
    labels = None

    def split(self, part):
        return TensorSplit(torch.ones(12, 2), self.labels)


class Beyond(Labelled):
    labels = torch.arange(12) % 3


class Floats(Labelled):
    labels = torch.arange(12) % 2.0


class Loud(Points):
    spec = DataSpec((2,), (-0.5, 0.5))


class Chatty(Points):
    def introduction(self):
        return ("one", "two", "three")


class Settling(Points):
    settled = {"sise": Derived(3, "the data are so")}  # noqa: RUF012


class Reading(Points):
    suffixes = (".csv",)


class Fitted(Points):
    fitting = Fitting(height=2, width=1, channels=1)


class Scaled(Points):
    standardization = ((0.0,), (1.0,))


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (Chatty, "a line or two"),
        (Settling, "its own parameters"),
        (Reading, "its own parameters"),
        (Fitted, "fitting makes data of shape"),
        (Scaled, "a number for each column"),
        (Restless, "generator"),
        (Labelled, "have labels"),
        (Beyond, "index the 2 classes"),
        (Floats, "int64"),
        (Loud, "within"),
    ],
)
def test_a_dataset(cls, says):
    with refused(says):
        testing.check_dataset(cls())
