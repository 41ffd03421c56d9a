"""What breaks the contract is refused in one line that names the component and where it comes from."""

import re
import textwrap

import fakes
import pytest
import torch
import yaml
from players import Points, dali

import dalikit
from dalikit.assembly.registry import PluginWarning, Registry
from dalikit.errors import UnfitError
from dalikit.runs import RunDirectory
from dalikit.training import Trainer

SMALL = [
    "--backbone",
    "mlp",
    "--steps",
    "2",
    "--set",
    "generator.latent_size=3",
    "--set",
    "generator.width=8",
]
SMALL += ["--set", "trainer.batch_size=8"]
QUIET = ["--set", "callbacks.evaluation=null", "--set", "callbacks.pictures=null"]

METHOD = """
import torch
from torch import nn
from dalikit.hookspecs import offer
from dalikit.interfaces import Method, Phase, PhaseLoss, Role
from dalikit.objectives import Inferring

DALIKIT_API = 2

class Mine(Inferring):
    name = "mine"

    def phases(self):
        return [Phase("all", ("generator", "encoder", "family"), self.loss)]

    def loss(self, iteration):
        x = iteration.real
        return PhaseLoss((self.generate(self.code(x)) - x).square().mean())

{more}

dalikit_components = offer(Mine)
"""
"""An autoencoder, of which each case changes something."""

POSTERIOR = """
import torch
from torch import nn
from torch.distributions import Distribution, Normal, constraints
from dalikit.hookspecs import offer
from dalikit.interfaces import Posterior

DALIKIT_API = 2

class Flow(Distribution):
    '''z = mean + scale · ε through a map whose density is known: no moments, and perhaps no gradient.'''

    arg_constraints = {{}}

    def __init__(self, base):
        super().__init__(base.batch_shape[:1], base.batch_shape[1:], validate_args=False)
        self.base = base

    def sample(self, shape=torch.Size()):
        with torch.no_grad():
            return self.base.sample(shape).sinh()

    def log_prob(self, z):
        slope = -0.5 * (1 + z.square()).log()
        return (self.base.log_prob(z.asinh()) + slope).sum(-1)

{distribution}

class Mine(Posterior):
    name = "mine"

    def __init__(self, latent_size, /):
        super().__init__()
        self.latent_size = latent_size
        self.shift = nn.Parameter(torch.zeros(latent_size))

    def heads(self):
        return self.latent_size, self.latent_size

    def forward(self, mean, log_scale):
        return Flow(Normal(mean + self.shift, log_scale.exp()))

{posterior}

dalikit_components = offer(Mine)
"""
"""A flow-like posterior with parameters of its own."""

RSAMPLE = """
def rsample(self, shape=torch.Size()):
    return self.base.rsample(shape).sinh()
"""

MEAN = """
@property
def mean(self):
    return self.base.mean.sinh()
"""

CODE = """
def code(self, distribution):
    return distribution.base.mean.sinh()
"""


def method(more=""):
    return METHOD.format(more=textwrap.indent(textwrap.dedent(more), "    "))


def posterior(distribution="", own=""):
    parts = {"distribution": distribution, "posterior": own}
    return POSTERIOR.format(**{name: textwrap.indent(text, "    ") for name, text in parts.items()})


def one_line(done):
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


FAMILY_UNTRAINED = """
    def phases(self):
        return [Phase("all", ("generator", "encoder"), self.loss)]
"""

AT_CONSTRUCTION = {
    "no phases": (
        """
        def phases(self):
            return ()
        """,
        "method 'mine' of fake-method 1.0 has no phases: there is nothing to train",
    ),
    "a role that is not there": (
        """
        def phases(self):
            return [Phase("all", ("generator", "encodr"), self.loss)]
        """,
        "method 'mine' of fake-method 1.0: phase 'all' trains 'encodr', which is no module of it",
    ),
    "a role that is no player": (
        """
        def phases(self):
            return [Phase("all", ("generator", "encoder", "loss"), self.loss)]
        """,
        "method 'mine' of fake-method 1.0: phase 'all' trains 'loss', which is no module of it",
    ),
    "a network that no phase trains": (
        """
        def phases(self):
            return [Phase("all", ("generator",), self.loss)]
        """,
        "method 'mine' of fake-method 1.0 trains no 'encoder'",
    ),
    "a role that its own method hides": (
        """
        @classmethod
        def roles(cls, **settings):
            return {**super().roles(**settings), "prior": Role("discriminator")}
        """,
        "method 'mine' of fake-method 1.0: its own 'prior' would hide the role called that",
    ),
    "a kind that is not there": (
        """
        @classmethod
        def roles(cls, **settings):
            return {**super().roles(**settings), "dream": Role("dreamer")}
        """,
        "method 'mine' of fake-method 1.0 asks for 'dream' of unknown kind 'dreamer'",
    ),
}


@pytest.mark.parametrize("fault", AT_CONSTRUCTION)
def test_a_method_that_breaks_its_contract_is_refused_before_anything_is_written(
    fault, tmp_path, monkeypatch, cli
):
    more, says = AT_CONSTRUCTION[fault]
    fakes.install(tmp_path, monkeypatch, "fake-method", method(more))
    said = one_line(cli("train", "--method", "mine", *SMALL, "--out", tmp_path / "run"))
    assert says in said
    assert not (tmp_path / "run").exists()


IN_THE_FIRST_STEP = {
    "a loss without a gradient": (
        """
        def loss(self, iteration):
            with torch.no_grad():
                return PhaseLoss(self.code(iteration.real).square().mean())
        """,
        "method 'mine' of fake-method 1.0: the loss of phase 'all' has no gradient",
    ),
    "a loss for each datum": (
        """
        def loss(self, iteration):
            return PhaseLoss(self.code(iteration.real).square().mean(1))
        """,
        "method 'mine' of fake-method 1.0: the loss of phase 'all' has shape (8,); a scalar",
    ),
    "a loss that leaves a role out": (
        """
        def loss(self, iteration):
            return PhaseLoss(self.code(iteration.real).square().mean())
        """,
        "method 'mine' of fake-method 1.0: the loss of phase 'all' has no gradient for 'generator'",
    ),
}


@pytest.mark.parametrize("fault", IN_THE_FIRST_STEP)
def test_a_loss_that_trains_nothing_is_refused_in_the_first_step(fault, tmp_path, monkeypatch, cli):
    more, says = IN_THE_FIRST_STEP[fault]
    fakes.install(tmp_path, monkeypatch, "fake-method", method(more))
    assert says in one_line(cli("train", "--method", "mine", *SMALL, *QUIET, "--out", tmp_path / "run"))
    assert RunDirectory(tmp_path / "run").checkpoints() == []


def test_the_method_that_these_cases_change_trains(tmp_path, monkeypatch, cli):
    fakes.install(tmp_path, monkeypatch, "fake-method", method())
    done = cli("train", "--method", "mine", *SMALL, *QUIET, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr


def test_a_posterior_with_parameters_that_no_phase_trains(tmp_path, monkeypatch, cli):
    fakes.install(tmp_path, monkeypatch, "fake-method", method(textwrap.dedent(FAMILY_UNTRAINED)))
    fakes.install(tmp_path, monkeypatch, "fake-posterior", posterior(RSAMPLE, CODE), version="2.1")
    options = ["--method", "mine", *SMALL, *QUIET, "--out", tmp_path / "run"]
    said = one_line(cli("train", *options, "--posterior", "mine"))
    assert "method 'mine' of fake-method 1.0 trains no 'family'" in said
    assert "posterior 'mine' of fake-posterior 2.1 has parameters" in said
    assert not (tmp_path / "run").exists()
    assert cli("train", *options).returncode == 0  # the built-in one has none


@pytest.mark.parametrize(
    ("name", "distribution", "own", "says"),
    [
        (
            "vae",
            "",
            CODE,
            "method 'vae' needs `rsample` .* posterior 'mine' of fake-posterior 2.1 does not offer",
        ),
        (
            "vae",
            RSAMPLE,
            CODE,
            "method 'vae' needs `mean` .* posterior 'mine' of fake-posterior 2.1 does not",
        ),
        ("infogan", MEAN, CODE, "method 'infogan' needs `stddev` .* posterior 'mine' of fake-posterior 2.1"),
        ("ali", "", CODE, "method 'ali' needs `rsample` .* posterior 'mine' of fake-posterior 2.1"),
        ("dali", "", "", "posterior 'mine' of fake-posterior 2.1 gives no code: .*have no mean"),
        ("aae", RSAMPLE, "", "posterior 'mine' of fake-posterior 2.1 gives no code: .*have no mean"),
    ],
)
def test_what_a_method_needs_of_a_distribution_is_known_before_training(
    name, distribution, own, says, tmp_path, monkeypatch, cli
):
    fakes.install(tmp_path, monkeypatch, "fake-posterior", posterior(distribution, own), version="2.1")
    options = ["--method", name, "--posterior", "mine", *SMALL, "--out", tmp_path / "run"]
    assert re.search(says, one_line(cli("train", *options)))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "distribution", "own"),
    [("dali", "", CODE), ("dali", MEAN, ""), ("ali", RSAMPLE, CODE), ("aae", RSAMPLE, CODE)],
)
def test_a_posterior_with_what_the_method_needs_trains_with_its_own_parameters(
    name, distribution, own, tmp_path, monkeypatch, cli
):
    fakes.install(tmp_path, monkeypatch, "fake-posterior", posterior(distribution, own))
    run = tmp_path / "run"
    done = cli("train", "--method", name, "--posterior", "mine", *SMALL, *QUIET, "--out", run)
    assert done.returncode == 0, done.stderr
    assert RunDirectory.open(run).load_checkpoint().state.tensors["method/family.shift"].any()
    x = torch.full((2, 1, 8, 8), -0.5)
    assert dalikit.load(run).code(x).shape == (2, 3)


GENERATOR = """
import torch
from torch import nn
from dalikit.hookspecs import offer
from dalikit.interfaces import Generator

DALIKIT_API = 2

class Mine(Generator):
    name = "mine"

    def __init__(self, latent_size, spec, /):
        super().__init__(latent_size, spec)
        self.net = nn.Sequential(nn.Linear(latent_size, 64), nn.Unflatten(1, spec.x_shape))

    def forward(self, z):
        return {body}

dalikit_components = offer(Mine)
"""


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("3 + self.net(z).tanh()", "outside the data's value_range [-1, 1]"),
        ("self.net(z[::2]).tanh()", "gives shape (1, 1, 8, 8) for 2 data; (2, 1, 8, 8) is needed"),
        ("self.net(z).tanh().flatten(1)", "gives shape (2, 64) for 2 data"),
        ("self.net(z[:, :2])", "cannot take data of shape (3,): RuntimeError"),
    ],
)
def test_a_generator_that_breaks_its_promise(body, says, tmp_path, monkeypatch, cli):
    fakes.install(tmp_path, monkeypatch, "fake-generator", GENERATOR.format(body=body), version="0.3")
    given = [*SMALL[:6], "--set", "generator.name=mine", "--out", tmp_path / "run"]
    said = one_line(cli("train", *given))
    assert "generator 'mine' of fake-generator 0.3" in said
    assert says in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("--set trainer.roles.encodr.lr=1", "trainer.roles.encodr: method 'dali' trains discr"),
        (
            "--method gan --set trainer.roles.encoder.lr=1",
            "trainer.roles.encoder: method 'gan' trains discriminator, generator",
        ),
        ("--set trainer.roles.encodr.optimizer=sgd", "trainer.roles.encodr: method 'dali' trains"),
        ("--set trainer.optimizer.betta=1", "optimizer 'adam' has no parameter 'betta'"),
        ("--set trainer.optimizer.eps=tiny", "optimizer 'adam': parameter 'eps' = 'tiny'"),
        ("--set trainer.optimizer.name=adamm", "Unknown optimizer 'adamm'. Did you mean"),
        (
            "--set trainer.roles.encoder.optimizer=sgd --set trainer.roles.encoder.optimizer.betas=[0,0]",
            "trainer.roles.encoder.optimizer: optimizer 'sgd' has no parameter 'betas'",
        ),
        (
            "--method unrolled --set trainer.roles.discriminator.optimizer=sgd",
            "the optimizer of 'discriminator' must be adam",
        ),
        ("--method vae --augmentation diffaugment", "Method 'vae' has no augmentation, so augmentation"),
    ],
)
def test_settings_of_roles_and_optimizers_that_mean_nothing(more, says, tmp_path, cli):
    assert says in one_line(cli("train", *SMALL, *more.split(), "--out", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_trainer_made_by_hand_refuses_roles_that_are_not_trained(tmp_path):
    with pytest.raises(UnfitError, match=r"trainer\.roles\.famly: method 'dali' trains disc"):
        Trainer(dali(), Points(), roles={"famly": {"lr": 1.0}})
    with pytest.raises(UnfitError, match=r"optimizer 'sgd': .*make_optimizer"):
        Trainer(dali(), Points(), optimizer={"name": "sgd"})


# Labels.

UNLABELLED = """
import torch
from dalikit.hookspecs import offer
from dalikit.interfaces import Dataset, DataSpec, TensorSplit

DALIKIT_API = 2

class Noise(Dataset):
    name = "noise"
    spec = DataSpec((1, 8, 8), (-1.0, 1.0))
    preparation = "noise"
    metrics = ()

    def split(self, part):
        return TensorSplit(torch.rand(20, *self.spec.x_shape))

dalikit_components = offer(Noise)
"""


def test_a_conditional_method_on_data_without_labels(tmp_path, monkeypatch, cli):
    fakes.install(tmp_path, monkeypatch, "fake-data", UNLABELLED)
    options = [*SMALL, "--dataset", "noise", "--out", tmp_path / "run"]
    said = one_line(cli("train", *options, "--set", "method.conditional=true"))
    assert "method 'dali': conditional=true needs labels, and data set 'noise' has none" in said
    assert not (tmp_path / "run").exists()
    assert cli("train", *options, *QUIET).returncode == 0


@pytest.fixture(scope="module")
def gans(cli, tmp_path_factory):
    """Two tiny GANs on digits: one reads labels, the other does not."""
    folder = tmp_path_factory.mktemp("gans")
    for name in ("false", "true"):
        words = ["--method", "gan", *SMALL, *QUIET, "--set", f"method.conditional={name}"]
        done = cli("train", *words, "--out", folder / name)
        assert done.returncode == 0, done.stderr
    return folder


def inversion(run, *more):
    """Options of an inversion of a GAN, whose networks are another width than the recipe's."""
    frozen = ("--set", f"generator.from_run={run}", "--set", f"discriminator.from_run={run}")
    encoder = ("--set", "encoder.name=mlp", "--set", "trainer.batch_size=8")
    return ["--method", "inversion", *frozen, *encoder, "--steps", "2", *QUIET, *more]


@pytest.mark.parametrize("conditional", ["true", "false"])
def test_an_inversion_reads_labels_exactly_where_its_gan_does(conditional, gans, tmp_path, cli):
    run = tmp_path / "run"
    done = cli("train", *inversion(gans / conditional), "--out", run)
    assert done.returncode == 0, done.stderr
    model, gan = dalikit.load(run), dalikit.load(gans / conditional)
    assert model.method.conditional == (conditional == "true")
    labels = [3, 4] if conditional == "true" else None
    z, x = torch.randn(2, 3), torch.full((2, 1, 8, 8), -0.5)
    assert torch.equal(model.generate(z, labels), gan.generate(z, labels))  # it stays as it was
    assert model.code(x, labels).shape == (2, 3)
    if labels:
        assert not torch.equal(model.code(x, labels), model.code(x, [5, 6]))
    agreeing = inversion(gans / conditional, "--set", f"method.conditional={conditional}")
    shown = yaml.safe_load(cli("config", *agreeing).stdout)
    assert shown["method"]["conditional"] == (conditional == "true")
    assert shown["generator"]["width"] == 8  # the GAN's own, whatever the recipe says


@pytest.mark.parametrize(
    ("gan", "given", "read"), [("true", "false", "read labels"), ("false", "true", "read no labels")]
)
def test_an_inversion_that_contradicts_its_gan(gan, given, read, gans, tmp_path, cli):
    options = inversion(gans / gan, "--set", f"method.conditional={given}", "--out", tmp_path / "run")
    said = one_line(cli("train", *options))
    assert "method.conditional contradicts generator.from_run" in said
    assert read in said
    assert str(gans / gan) in said
    assert not (tmp_path / "run").exists()


def test_a_generator_of_a_conditional_gan_makes_any_method_conditional(gans, tmp_path, cli):
    options = ["--method", "dali", "--set", f"generator.from_run={gans / 'true'}", *SMALL[2:4], *QUIET]
    done = cli("train", *options, "--backbone", "mlp", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert dalikit.load(tmp_path / "run").method.conditional
    refused = cli("train", *options, "--backbone", "mlp", "--set", "method.conditional=false")
    assert "method.conditional contradicts generator.from_run" in one_line(refused)


def test_networks_of_a_gan_with_labels_and_of_one_without_do_not_go_together(gans, tmp_path, cli):
    for one, other in (("true", "false"), ("false", "true")):
        # Whichever is read first decides, and the other one contradicts it.
        mixed = [f"generator.from_run={gans / one}", f"discriminator.from_run={gans / other}"]
        options = ["--method", "gan", "--set", mixed[0], "--set", mixed[1], *QUIET]
        said = one_line(cli("train", *options, "--out", tmp_path / "run"))
        assert re.search(r"(generator|discriminator)\.from_run: the networks of .* read (no )?labels", said)
        assert not (tmp_path / "run").exists()


def test_an_api_1_plugin_is_told_what_to_do(tmp_path, monkeypatch, cli):
    source = fakes.GAME.format(name="old").replace("DALIKIT_API = 2", "DALIKIT_API = 1")
    fakes.install(tmp_path, monkeypatch, "fake-old", source, version="0.9")
    said = one_line(cli("plugins", "--strict"))
    assert "fake-old 0.9: written for API 1, this is 2; docs/migrating.md says what to change" in said
    with pytest.warns(UserWarning, match=r"fake-old 0\.9: written for API 1"):
        Registry.discover()


@pytest.fixture(scope="module")
def ali(cli, tmp_path_factory):
    """A run whose discriminator judges pairs."""
    run = tmp_path_factory.mktemp("ali") / "run"
    assert cli("train", "--method", "ali", *SMALL, *QUIET, "--out", run).returncode == 0
    return run


def trunk_of(run):
    """The discriminator's trunk in a run's averaged weights, innermost names."""
    _, weights = RunDirectory.open(run).load_averaged()
    return {n.rsplit("trunk.", 1)[1]: t for n, t in weights.items() if n.startswith("discriminator.trunk.")}


@pytest.mark.parametrize("method", ["ali", "inversion", "veegan"])
def test_a_trunk_is_borrowed_wherever_it_lies(method, ali, gans, tmp_path, cli):
    """Of a discriminator of pairs into another of pairs, or into a trunk alone, which stays as it was."""
    words = ["train", "--method", method, *SMALL, *QUIET, "--set", f"discriminator.from_run={ali}"]
    if method == "inversion":
        words += ["--set", f"generator.from_run={ali}"]
    done = cli(*words, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    if method == "inversion":
        mine, theirs = trunk_of(tmp_path / "run"), trunk_of(ali)
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_a_source_that_no_role_takes_is_refused(ali, tmp_path, cli):
    words = ("train", "--method", "aae", *SMALL, "--set", f"discriminator.from_run={ali}")
    assert "discriminator.from_run means nothing to method 'aae'" in one_line(
        cli(*words, "--out", tmp_path / "r")
    )


KIND = """
from dalikit.hookspecs import offer
from dalikit.interfaces import Component, Kind

DALIKIT_API = 2

class Base(Component):
    kind = Kind({kind})

class Mine(Base):
    name = "mine"

dalikit_components = offer(Mine)
"""


@pytest.mark.parametrize(
    ("kind", "says"),
    [('"game"', "there is another kind 'game' already"), ('"seed", player=True', "cannot be called 'seed'")],
)
def test_a_kind_that_is_called_as_another_or_as_a_section(kind, says, tmp_path, monkeypatch):
    fakes.install(tmp_path, monkeypatch, "kinds", KIND.format(kind=kind))
    with pytest.warns(PluginWarning, match=rf"'mine' of kinds 1\.0: .*{says}"):
        registry = Registry.discover()
    assert registry.kinds["game"].player
    assert registry.get("game", "gan")


def test_weights_do_not_depend_on_the_augmentation(tmp_path, cli):
    for name in ("none", "ada"):
        words = ["train", *SMALL, *QUIET, "--augmentation", name, "--set", "trainer.lr=1e-30"]
        assert cli(*words, "--out", tmp_path / name).returncode == 0
    weights = [RunDirectory.open(tmp_path / name).load_averaged()[1] for name in ("none", "ada")]
    own = [{n: t for n, t in w.items() if n.startswith("encoder.")} for w in weights]
    assert own[0].keys() == own[1].keys()
    assert all(torch.equal(own[0][n], own[1][n]) for n in own[0])
