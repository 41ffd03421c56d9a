"""From a configuration to players: who reads what, and what does not fit is said before data are read."""

import pytest
import torch
from torch import nn

from dalikit.assembly import build, resolve
from dalikit.assembly.registry import Registry, Row
from dalikit.components.methods.gan import PlainGAN
from dalikit.errors import UnfitError, UserError
from dalikit.interfaces import (
    Discriminator,
    Encoder,
    Generator,
    Method,
    Phase,
    PhaseLoss,
    Posterior,
    Role,
)
from dalikit.players.composed import EncoderWithTrunk, JointDiscriminator
from dalikit.runs import RunDirectory
from dalikit.training import Trainer

DIGITS = build.DataShape((1, 8, 8), (-1.0, 1.0))


class TooSmall(Generator):
    name = "bad"

    def __init__(self, latent_size, x_shape, value_range, /):
        super().__init__(latent_size, x_shape, value_range)
        self.net = nn.Linear(latent_size, 5)

    def forward(self, z):
        return self.net(z)


class WrongFeatures(Discriminator):
    name = "bad"

    def __init__(self, x_shape, /):
        super().__init__()
        self.feature_shape = (7,)
        self.net = nn.Linear(64, 6)

    def features(self, x):
        return self.net(x.flatten(1))

    def head(self, h):
        return h.sum(1)


class ColumnLogits(WrongFeatures):
    def __init__(self, x_shape, /):
        super().__init__(x_shape)
        self.feature_shape = (6,)

    def head(self, h):
        return h.sum(1, keepdim=True)


class OneHead(Encoder):
    name = "bad"

    def __init__(self, in_shape, head_sizes, /):
        super().__init__()

    def forward(self, h):
        return (torch.zeros(len(h), 16),)


class OtherSize(Posterior):
    name = "bad"

    def __init__(self, latent_size, /):
        super().__init__()

    def heads(self):
        return (3,)

    def forward(self, *heads):
        return torch.distributions.Independent(torch.distributions.Normal(heads[0], 1.0), 1)


class Fails(Generator):
    name = "bad"

    def __init__(self, latent_size, x_shape, value_range, /):
        raise KeyError("weights")

    def forward(self, z):
        return z


class NeedsPosteriorOnly(PlainGAN):
    """An encoder without a posterior: a method that contradicts itself."""

    name = "bad"

    @classmethod
    def roles(cls, **params):
        return {"encoder": Role("encoder", on="x"), **super().roles(**params)}


class ReadsNoFeatures(PlainGAN):
    """An encoder on features beside a discriminator on pairs, which has none to share."""

    name = "bad"

    @classmethod
    def roles(cls, **params):
        joint = {"discriminator": Role("discriminator", on="xz"), "family": Role("posterior")}
        return {**super().roles(**params), **joint, "encoder": Role("encoder", on="h")}


class Autoencoder(Method):
    """Roles without a discriminator or a game; the encoder's trunk is still a discriminator's."""

    name = "bad"

    def __init__(self, generator, encoder, family, /):
        super().__init__()
        self.generator, self.encoder, self.family = generator, encoder, family

    @classmethod
    def roles(cls, **params):
        return {
            "generator": Role("generator", on="z"),
            "encoder": Role("encoder", on="x"),
            "family": Role("posterior", on="z"),
        }

    def phases(self):
        return (Phase("both", ("generator", "encoder"), self.loss),)

    def loss(self, iteration):
        again = self.generate(self.family(*self.encoder(iteration.real)).mean)
        loss = (again - iteration.real).square().mean()
        return PhaseLoss(loss, {"loss": loss.detach()})


@pytest.mark.parametrize("backbone", ["mlp", "dcgan"])
def test_a_method_without_discriminator_still_gets_its_encoders_trunk(backbone):
    registry = with_bad("method", Autoencoder)
    config = resolve.layered(
        [{"method": "bad", "backbone": backbone, "discriminator": {"width": 5}}], registry
    )
    assert config.discriminator.params["width"] == 5
    assert config.game is None
    method = build.make_method(config, DIGITS, registry)
    Trainer(method, build.make_dataset(config.dataset, registry), steps=1, batch_size=4).fit()


def with_bad(kind, component):
    row = Row(kind, "bad", "fake", "3.1", "ok", component=component)
    return Registry([*Registry.discover().rows, row])


@pytest.mark.parametrize(
    ("kind", "component", "says"),
    [
        ("generator", TooSmall, r"generator 'bad' gives shape \(5,\) a datum, \(1, 8, 8\) is needed"),
        ("discriminator", WrongFeatures, r"discriminator 'bad' gives shape \(6,\) a datum, \(7,\) is needed"),
        ("discriminator", ColumnLogits, r"discriminator 'bad' gives shape \(1,\) a datum, \(\) is needed"),
        ("encoder", OneHead, "encoder 'bad' must give 2 heads"),
        (
            "posterior",
            OtherSize,
            r"posterior 'bad' has batch shape \(2,\) and event shape \(3,\); \(2,\) and \(16,\)",
        ),
        ("generator", Fails, r"generator 'bad' of fake 3\.1 cannot be built: KeyError"),
        ("method", ReadsNoFeatures, "Method 'bad' asks for no discriminator on data whose features"),
        ("method", NeedsPosteriorOnly, "Method 'bad' asks for no posterior, needed by the encoder's heads"),
    ],
)
def test_what_does_not_fit_is_said_before_any_data_are_read(kind, component, says, monkeypatch, tmp_path):
    from dalikit.components.datasets.digits import Digits

    def touched(self, part):
        raise AssertionError("data were read")

    monkeypatch.setattr(Digits, "split", touched)
    registry = with_bad(kind, component)
    config = resolve.layered([{kind: "bad"}], registry)
    with pytest.raises(UnfitError, match=says):
        build.make_trainer(config, registry, RunDirectory(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_backbone_that_does_not_take_the_data():
    registry = Registry.discover()
    config = resolve.layered([{"recipe": "ring8", "backbone": "dcgan"}], registry)
    with pytest.raises(UnfitError, match=r"'dcgan' takes square images.*\(2,\)"):
        build.make_method(config, build.DataShape((2,), None), registry)


def made(**settings):
    registry = Registry.discover()
    return build.make_method(resolve.layered([settings], registry), DIGITS, registry)


def test_the_encoder_reads_features_or_has_a_trunk_of_its_own():
    shared, own = made(), made(method={"share_features": False})
    assert not isinstance(shared.encoder, EncoderWithTrunk)
    assert isinstance(own.encoder, EncoderWithTrunk)
    mine = {id(p) for p in own.discriminator.parameters()}
    assert not mine & {id(p) for p in own.encoder.parameters()}
    x = torch.randn(3, 1, 8, 8).clamp(-1, 1)
    assert own.eval().posterior(x).event_shape == (16,)


def test_weights_repeat_under_the_seed_and_the_callers_state_is_left_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    a, b, c = made(seed=1), made(seed=1), made(seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert not all(torch.equal(p, q) for p, q in zip(a.parameters(), c.parameters(), strict=True))


def test_gan_and_dali_start_from_the_same_generator_and_discriminator():
    """The paper's baseline has DALI's own networks; so that a comparison is of methods, weights too."""
    dali, gan = made(), made(method="gan")
    for role in ("generator", "discriminator"):
        pairs = zip(dali.player(role).parameters(), gan.player(role).parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_a_joint_discriminator_reads_both():
    trunk = made().discriminator
    joint = JointDiscriminator(trunk, (1, 8, 8), 5)
    x, z = torch.randn(4, 1, 8, 8, requires_grad=True), torch.randn(4, 5, requires_grad=True)
    logits = joint(joint.pairs(x, z))
    assert logits.shape == (4,)
    for gradient in torch.autograd.grad(logits.sum(), (x, z)):
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize("name", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there(name):
    with pytest.raises(UserError, match=f"Device '{name}' cannot be used"):
        build.device(name)
