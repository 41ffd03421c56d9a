"""From a configuration to players: who reads what, and what does not fit is said before data are read."""

import pytest
import torch
from torch import nn

from dalikit.assembly import build, resolve
from dalikit.assembly.devices import find_device
from dalikit.assembly.registry import Registry, Row
from dalikit.components.methods.gan import PlainGAN
from dalikit.errors import UnfitError, UserError
from dalikit.interfaces import (
    Augmentation,
    DataSpec,
    Discriminator,
    Encoder,
    Generator,
    Method,
    Phase,
    PhaseLoss,
    Posterior,
    Role,
)
from dalikit.players import Cast, EncoderWithTrunk, Trunk
from dalikit.runs import RunDirectory
from dalikit.training import Trainer

DIGITS = DataSpec((1, 8, 8), (-1.0, 1.0))


class TooSmall(Generator):
    name = "bad"

    def __init__(self, latent_size, spec, /):
        super().__init__(latent_size, spec)
        self.net = nn.Linear(latent_size, 5)

    def forward(self, z):
        return self.net(z)


class TooWide(TooSmall):
    """Data of the right shape, twice the size of the value range."""

    def forward(self, z):
        return 2 * torch.ones(len(z), *self.spec.x_shape)


class Halved(TooSmall):
    """Data for half of the codes."""

    def forward(self, z):
        return torch.zeros(len(z) // 2, *self.spec.x_shape)


class Sum(nn.Module):
    def __init__(self, keep):
        super().__init__()
        self.keep = keep

    def forward(self, h):
        return h.sum(1, keepdim=self.keep)


class WrongFeatures(Discriminator):
    name = "bad"
    size, keep = 7, False

    def __init__(self, spec, /):
        super().__init__()
        self.feature_shape = (self.size,)
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(64, 6))
        self.head = Sum(self.keep)


class ColumnLogits(WrongFeatures):
    size, keep = 6, True


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

    def __init__(self, latent_size, spec, /):
        raise KeyError("weights")

    def forward(self, z):
        return z


class LooseAugmentation(Augmentation):
    name = "bad"

    def __init__(self, spec, /):
        super().__init__()

    def forward(self, x):
        return x[..., 1:]


class DeafMethod(PlainGAN):
    """A method that takes players it does not ask for."""

    name = "bad"

    def __init__(self, **players):
        super().__init__(**players)
        self.judge = players["critic"]


class NeedsPosteriorOnly(PlainGAN):
    """An encoder without a posterior: a method that contradicts itself."""

    name = "bad"

    @classmethod
    def roles(cls, **params):
        return {"encoder": Role("encoder"), **super().roles(**params)}


class ReadsNoFeatures(PlainGAN):
    """An encoder on features beside a discriminator on pairs, which has none to share."""

    name = "bad"

    @classmethod
    def roles(cls, **params):
        joint = {"discriminator": Role("discriminator", reads="xz"), "family": Role("posterior")}
        return {**super().roles(**params), **joint, "encoder": Role("encoder", reads="h")}


class Autoencoder(Method):
    """Roles without a discriminator or a game; the encoder's trunk is still a discriminator's."""

    name = "bad"

    @classmethod
    def roles(cls, **params):
        return {**super().roles(), "encoder": Role("encoder"), "family": Role("posterior")}

    def phases(self):
        return (Phase("both", ("generator", "encoder"), self.loss),)

    def loss(self, iteration):
        again = self.generate(self.family(*self.encoder(iteration.real)).mean)
        loss = (again - iteration.real).square().mean()
        return PhaseLoss(loss, {"loss": loss})


@pytest.mark.parametrize("backbone", ["mlp", "dcgan"])
def test_a_method_without_discriminator_still_gets_its_encoders_trunk(backbone):
    registry = with_bad("method", Autoencoder)
    config = resolve.resolve_layers(
        [{"method": "bad", "backbone": backbone, "discriminator": {"width": 5}}], registry
    )
    assert config.players["discriminator"].params["width"] == 5
    assert "game" not in config.players
    method = build.make_method(config, DIGITS, registry)
    Trainer(method, build.make_dataset(config, registry), steps=1, batch_size=4).fit()


def with_bad(kind, component):
    row = Row(kind, "bad", "fake", "3.1", "ok", component=component)
    component.origin = row.source  # as discovery does
    return Registry([*Registry.discover().rows, row])


@pytest.mark.parametrize(
    ("kind", "component", "says"),
    [
        (
            "generator",
            TooSmall,
            r"generator 'bad' of fake 3\.1 gives shape \(2, 5\) for 2 data; \(2, 1, 8, 8\) is needed",
        ),
        (
            "generator",
            TooWide,
            r"generator 'bad' of fake 3\.1 gives values from 2 to 2, outside the data's .* \[-1, 1\]",
        ),
        (
            "generator",
            Halved,
            r"generator 'bad' of fake 3\.1 gives shape \(1, 1, 8, 8\) for 2 data; \(2, 1, 8, 8\) is needed",
        ),
        (
            "discriminator",
            WrongFeatures,
            r"discriminator 'bad' of fake 3\.1 gives shape \(2, 6\) for 2 data; \(2, 7\) is needed",
        ),
        (
            "discriminator",
            ColumnLogits,
            r"discriminator 'bad' of fake 3\.1 gives shape \(2, 1\) for 2 data; \(2,\) is needed",
        ),
        ("encoder", OneHead, r"encoder 'bad' of fake 3\.1 must give 2 heads"),
        (
            "posterior",
            OtherSize,
            r"posterior 'bad' of fake 3\.1 has batch shape \(2,\) and event shape \(3,\); \(2,\) and \(16,\)",
        ),
        (
            "augmentation",
            LooseAugmentation,
            r"augmentation 'bad' of fake 3\.1 gives shape \(2, 1, 8, 7\) for 2 data; \(2, 1, 8, 8\) is",
        ),
        ("generator", Fails, r"generator 'bad' of fake 3\.1 cannot be built: KeyError"),
        ("method", DeafMethod, r"method 'bad' of fake 3\.1 cannot be built: KeyError: 'critic'"),
        (
            "method",
            ReadsNoFeatures,
            "method 'bad' of fake .* asks for no discriminator on data whose features",
        ),
        (
            "method",
            NeedsPosteriorOnly,
            "method 'bad' of fake .* asks for no posterior, and its encoder's heads",
        ),
    ],
)
def test_what_does_not_fit_is_said_before_any_data_are_read(kind, component, says, monkeypatch, tmp_path):
    from dalikit.components.datasets.digits import Digits

    def touched(self, part):
        raise AssertionError("data were read")

    monkeypatch.setattr(Digits, "split", touched)
    registry = with_bad(kind, component)
    config = resolve.resolve_layers([{kind: "bad"}], registry)
    with pytest.raises(UnfitError, match=says) as raised:
        build.make_trainer(config, registry, RunDirectory(tmp_path / "run"))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_a_backbone_that_does_not_take_the_data():
    registry = Registry.discover()
    config = resolve.resolve_layers([{"recipe": "ring8", "backbone": "dcgan"}], registry)
    with pytest.raises(UnfitError, match=r"'dcgan' takes images.*\(2,\)"):
        build.make_method(config, DataSpec((2,)), registry)


def made(**settings):
    registry = Registry.discover()
    return build.make_method(resolve.resolve_layers([settings], registry), DIGITS, registry)


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


CLASSES = tuple("abc")


def cast(conditional=False, **roles):
    """Players of these roles, made by the default configuration's components."""
    registry = Registry.discover()
    config = resolve.resolve_layers([{"generator": {"latent_size": 5}}], registry)
    spec = DataSpec((1, 8, 8), (-1.0, 1.0), CLASSES)

    def new(kind, **supplied):
        cls, slot = registry.get(kind, config.players[kind].name), config.players[kind]
        return cls(*[supplied[name] for name in cls.kind.supplied], **slot.params)

    return Cast(roles, spec, 5, new, conditional=conditional).players()


INPUTS = {"x": [(1, 8, 8)], "z": [(5,)], "xz": [(1, 8, 8), (5,)], "xx": [(1, 8, 8), (1, 8, 8)]}
"""What a discriminator reads: the shapes of that."""


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("reads", INPUTS)
def test_a_discriminator_reads_all_that_its_role_says(reads, conditional):
    critic = cast(conditional, critic=Role("discriminator", reads=reads))["critic"].eval()
    parts = [torch.randn(4, *shape, requires_grad=True) for shape in INPUTS[reads]]
    read = critic.pairs(*parts) if len(parts) == 2 else parts[0]
    labelled = conditional and reads != "z"  # D(z) reads no labels
    logits = critic(read, torch.tensor([0, 1, 2, 0])) if labelled else critic(read)
    assert logits.shape == (4,)
    for gradient in torch.autograd.grad(logits.sum(), parts, retain_graph=True):
        assert gradient.abs().sum() > 0
    if labelled:
        others = critic(read, torch.tensor([1, 2, 0, 1]))
        assert (others != logits).all()
    if len(parts) == 2:
        assert all(torch.equal(a, b) for a, b in zip(critic.parts(read), parts, strict=True))


def test_who_needs_features_alone_is_given_the_trunk_alone():
    """A discriminator's head that nobody reads is neither made a part of anything nor saved."""
    players = cast(
        pairs=Role("discriminator", reads="xz"),
        features=Role("discriminator", headless=True),
        family=Role("posterior"),
        encoder=Role("encoder"),
    )
    trunks = [players["pairs"].trunk, players["features"], players["encoder"].trunk]
    assert all(type(trunk) is Trunk for trunk in trunks)
    assert not any("head" in name for trunk in trunks for name, _ in trunk.named_parameters())
    assert len({id(p) for trunk in trunks for p in trunk.parameters()}) == 3 * len(
        list(trunks[0].parameters())
    )


def test_an_encoder_reads_the_features_of_the_first_discriminator_on_data():
    roles = {
        "pairs": Role("discriminator", reads="xz"),
        "first": Role("discriminator"),
        "second": Role("discriminator"),
        "family": Role("posterior"),
        "encoder": Role("encoder", reads="h"),
    }
    players = cast(**roles)
    h = players["first"].trunk(torch.zeros(2, 1, 8, 8))
    assert [tuple(head.shape) for head in players["encoder"](h)] == [(2, 5), (2, 5)]
    labelled = cast(conditional=True, **roles)
    again = labelled["encoder"](h, torch.tensor([0, 1]))
    assert [tuple(head.shape) for head in again] == [(2, 5), (2, 5)]
    assert not torch.equal(again[0][0], again[0][1])  # the same features under two labels


@pytest.mark.parametrize("name", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there(name):
    with pytest.raises(UserError, match=f"Device '{name}' cannot be used"):
        find_device(name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gpu", r"torch knows none of this name\. Did you mean 'cuda'\? This machine has cpu"),
        ("GPU:1", r"Did you mean 'cuda:1'\?"),
        ("cuuda", r"Did you mean 'cuda'\?"),
        ("abacus", r"torch knows none of this name\. This machine has cpu"),
        ("meta", r"cannot be used: \S.* \S+\. This machine has cpu"),
    ],
)
def test_a_device_that_was_not_meant(name, says):
    with pytest.raises(UserError, match=says) as raised:
        find_device(name)
    assert "\n" not in str(raised.value)


def test_what_torch_says_of_a_device_is_whole(monkeypatch):
    def absent(*_, **__):
        raise RuntimeError(
            "Found no driver on your system. Please go to https://example.org/x.html\nand so on"
        )

    monkeypatch.setattr(torch, "zeros", absent)
    with pytest.raises(UserError, match=r"'cuda:0' cannot be used: Found no driver on your system\. This"):
        find_device("cuda:0")
