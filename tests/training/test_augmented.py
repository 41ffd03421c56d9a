"""What a discriminator sees under an augmentation, and what nobody else does: G, E and inference."""

import math

import pytest
import torch
from adam import descend, softplus
from iteration import adam, check_one_iteration, draw
from players import Points, Z, small

from dalikit.assembly.parameters import check_parameters
from dalikit.assembly.registry import Registry
from dalikit.components.augmentations.ada import ADA
from dalikit.components.methods.ali import ALI
from dalikit.components.methods.dali import DALI
from dalikit.components.methods.gan import PlainGAN
from dalikit.components.methods.infogan import InfoGAN
from dalikit.components.methods.unrolled import Unrolled
from dalikit.components.methods.vaegan import VAEGAN
from dalikit.inference import Model
from dalikit.interfaces import Augmentation, Callback, DataSpec, TensorSplit
from dalikit.training import Trainer

SEEING = ("ali", "alice", "avb", "dali", "gan", "ian", "infogan", "mdgan", "unrolled", "vaegan", "veegan")
"""The methods whose discriminator may see augmented data."""


def seen(x):
    """What the augmentation here makes of x."""
    return 1.5 * x + 40


class Far(Augmentation):
    """Moves data where none is: what has been augmented can be told from what has not."""

    name = "far"

    def __init__(self, spec, /):
        super().__init__()
        self.logits = []

    def forward(self, x):
        return seen(x)

    def observe(self, real):
        self.logits.append(real)


def build(name, **settings):
    return small(Registry.discover().get("method", name), augmentation=Far, **settings)


def test_every_method_with_a_discriminator_on_data_has_one_to_augment_its_sight():
    registry = Registry.discover()
    methods = [registry.get("method", name) for name in registry.names("method")]
    own = [cls for cls in methods if cls.__module__.startswith("dalikit.")]
    having = [cls.name for cls in own if "augmentation" in cls.roles(**check_parameters(cls, cls.name, {}))]
    assert sorted(having) == list(SEEING)


def watch(critic):
    """Lists that fill while it trains: the features of data as augmented, and of data as they are."""
    features = {True: [], False: []}
    critic.trunk.register_forward_hook(
        lambda _, inputs, h: features[bool(inputs[0].min() > 20)].append(h.detach())
    )
    return features[True], features[False]


def reads(module):
    """A list that fills with what a module is given."""
    given = []
    module.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].detach()))
    return given


def are_among(read, features):
    """Whether there are any, and the first columns of each are some of `features`."""
    return bool(read) and all(any(torch.equal(h[:, : f.shape[1]], f) for f in features) for h in read)


def head_of(method):
    if method.name == "ian":
        return method.ternary[0]
    return method.discriminator.joint if method.judges == "xz" else method.discriminator.head


@pytest.mark.parametrize("name", SEEING)
def test_whatever_a_discriminator_judges_is_augmented(name):
    """The features of every datum that its head, or the layers of a joint one, reads."""
    method = build(name)
    pairs = [(method.discriminator, head_of(method))]
    if name == "mdgan":
        pairs.append((method.diffuser, method.diffuser.head))
    watched = [(watch(critic), reads(head)) for critic, head in pairs]
    Trainer(method, Points(), steps=2, batch_size=6).fit()
    for (augmented, _), judged in watched:
        assert are_among(judged, augmented)


@pytest.mark.parametrize("name", [name for name in SEEING if name not in ("gan", "unrolled")])
def test_an_encoder_reads_what_is_not_augmented(name):
    method = build(name)
    _, plain = watch(method.discriminator)
    read = reads(method.encoder)
    Trainer(method, Points(), steps=2, batch_size=6).fit()
    if method.share_features:
        assert are_among(read, plain)
    else:
        assert read
        assert max(x.max() for x in read) < 20


def logistic(real, fake):
    return (softplus(-real) + softplus(fake)).mean()


@pytest.mark.parametrize("cls", [PlainGAN, Unrolled])
def test_a_gan(cls):
    def restate(mine, x, z):
        g, d = mine.generator, mine.discriminator

        def of_d():
            descend(logistic(d(seen(x)), d(seen(g(z).detach()))), adam(d))

        def of_g():
            descend(softplus(-d(seen(g(z)))).mean(), adam(g))

        for step in (of_d, of_g) if cls is PlainGAN else (of_g, of_d):
            step()

    settings = {"unroll": 0} if cls is Unrolled else {}
    check_one_iteration(restate, cls, augmentation=Far, **settings)


@pytest.mark.parametrize("cls", [DALI, InfoGAN])
def test_a_shared_encoder_reads_the_features_of_what_is_not_augmented(cls):
    def restate(mine, x, z):
        g, d, e = mine.generator, mine.discriminator, mine.encoder
        fake = g(z)
        descend(logistic(d(seen(x)), d(seen(fake.detach()))), adam(d))
        n = Z if cls is DALI else 2
        mean, log_variance = (head[:, :n] for head in e(d.trunk(fake)))
        apart = (z[:, :n] - mean) ** 2 / log_variance.exp()
        nll = 0.5 * (apart + log_variance + math.log(2 * math.pi)).sum(1).mean()
        descend(softplus(-d(seen(fake))).mean() + 0.7 / n * nll, adam(g), adam(e))

    check_one_iteration(restate, cls, augmentation=Far, lam=0.7)


def test_a_joint_discriminator_sees_data_augmented_and_codes_as_they_are():
    def restate(mine, x, z):
        g, d, e = mine.generator, mine.discriminator, mine.encoder
        fake = g(z)

        def logits(x, z):
            return d.joint(torch.cat([d.trunk(seen(x)), z], 1))[:, 0]

        descend(logistic(logits(x, draw(*e(x)).detach()), logits(fake.detach(), z)), adam(d))
        real, generated = logits(x, draw(*e(x))), logits(fake, z)
        descend((softplus(-generated) + softplus(real)).mean(), adam(g), adam(e))

    check_one_iteration(restate, ALI, augmentation=Far)


def test_a_distance_in_features_is_between_data_as_they_are():
    def restate(mine, x, z):
        g, d, e = mine.generator, mine.discriminator, mine.encoder
        again, sampled = g(draw(*e(x))).detach(), g(z)
        generated = softplus(d(seen(sampled.detach()))) + softplus(d(seen(again)))
        descend((softplus(-d(seen(x))) + 0.5 * generated).mean(), adam(d))

        def apart(y):
            return 0.5 * ((d.trunk(x) - d.trunk(y)) ** 2).mean()

        mean, log_variance = e(x)
        kl = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(1).mean()
        descend(apart(g(draw(mean, log_variance))) + 0.2 * kl / Z, adam(e))
        again = g(draw(*e(x)).detach())
        game = 0.5 * (softplus(-d(seen(sampled))) + softplus(-d(seen(again)))).mean()
        descend(game + 0.3 * apart(again), adam(g))

    check_one_iteration(restate, VAEGAN, augmentation=Far, beta=0.2, gamma=0.3)


def test_the_augmentation_is_told_the_logits_of_real_data_in_each_step_of_d():
    method, trained = build("dali"), build("dali")
    trained.load_state_dict(method.state_dict())
    Trainer(trained, Points(6), steps=3, batch_size=6).fit()
    told = trained.augmentation.logits
    assert len(told) == 3
    expected = method.discriminator(seen(Points(6).data)).sort().values
    torch.testing.assert_close(told[0].sort().values, expected)
    assert not any(logits.requires_grad for logits in told)


@pytest.mark.parametrize("name", SEEING)
def test_inference_never_augments(name):
    method = build(name)
    trainer = Trainer(method, Points(), steps=1, batch_size=6)
    trainer.fit()

    def fail(x):
        raise AssertionError("augmented")

    trainer.inference.augmentation.forward = fail
    model, x = Model(trainer.inference), Points().data
    assert model.sample(3, seed=1).shape == (3, 2)
    if trainer.inference.infers:
        model.encode(x)
        assert model.reconstruct(x).shape == x.shape


def test_what_is_inferred_is_that_of_the_data_as_they_are():
    plain, augmented = build("dali"), build("dali")
    augmented.load_state_dict(plain.state_dict())
    x = Points().data
    expected = plain.encoder(plain.discriminator.trunk(x))[0]
    torch.testing.assert_close(augmented.code(x), expected, rtol=0, atol=0)


def test_without_an_augmentation_features_are_computed_once():
    """The second pass is made only where one is on."""

    def passes(**settings):
        method, calls = small(DALI, **settings), []
        method.discriminator.trunk.register_forward_hook(lambda *_: calls.append(1))
        Trainer(method, Points(), steps=1, batch_size=6).fit()
        return len(calls)

    assert passes() == 3  # of real data, of generated ones for D, and for G and E
    assert passes(augmentation=Far) == 4


IMAGES = DataSpec((1, 8, 8), (-1.0, 1.0))


class Pictures(Points):
    """Noise for images."""

    def __init__(self):
        super().__init__()
        self.spec = IMAGES
        self.data = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def split(self, part):
        return TensorSplit(self.data)


class Quick(ADA):
    """ADA that moves fast, from the middle."""

    def __init__(self, spec, /):
        super().__init__(spec, images=100, every=2)
        self.p.fill_(0.5)


class StopAt(Callback):
    """Stops after a step."""

    name = "stop"

    def __init__(self, step):
        self.step = step

    def step_end(self, fit):
        if fit.step == self.step:
            fit.stop()


def test_adas_state_is_in_the_checkpoint_and_a_resume_goes_on_with_it():
    def trainer(seed, steps=9):
        torch.manual_seed(seed)
        method = small(DALI, spec=IMAGES, augmentation=Quick)
        return Trainer(method, Pictures(), (), seed, steps=steps, batch_size=6)

    whole = trainer(1)
    whole.fit()
    names = {"p", "signs", "seen", "calls"}
    stored = whole.state().tensors
    assert {name.removeprefix("method/augmentation.") for name in stored} >= names
    assert float(stored["method/augmentation.p"]) != 0.5
    assert float(stored["method/augmentation.calls"]) == 1  # nine steps of D, adjusted at every second
    assert torch.equal(stored["average/augmentation.p"], stored["method/augmentation.p"])

    stopped, resumed = trainer(1), trainer(9)
    stopped.watchers.add(StopAt(5))
    stopped.fit()
    assert float(stopped.method.augmentation.calls) == 1
    resumed.load_state(stopped.state())
    resumed.fit()
    for name, tensor in resumed.state().tensors.items():
        assert torch.equal(tensor, stored[name]), name


@pytest.mark.parametrize("name", SEEING)
def test_the_augmentation_is_told_of_real_data_once_in_each_step_of_d(name):
    augmentation = ADA(DataSpec((1, 8, 8), (-1.0, 1.0)), every=1000)
    method = build(name)
    method.augmentation = augmentation
    augmentation.forward = lambda x: x  # of points, which it does not know
    Trainer(method, Points(), steps=3, batch_size=5).fit()
    assert (float(augmentation.calls), float(augmentation.seen)) == (3.0, 15.0)
