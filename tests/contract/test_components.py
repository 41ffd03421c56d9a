"""Every registered component, installed plugins' too, through the contract's checks."""

import math
from functools import partial

import pytest
import torch

from dalikit import testing
from dalikit.assembly import build, resolve
from dalikit.assembly.parameters import check_parameters, parameter_model
from dalikit.assembly.registry import Registry
from dalikit.errors import UserError
from dalikit.interfaces import Backbone, Dataset, DataSpec, TensorSplit
from dalikit.runs import Context, DataFacts, RunDirectory, RunFacts
from dalikit.training import Trainer

REGISTRY = Registry.discover()


def components(kind: str):
    return pytest.mark.parametrize("name", REGISTRY.names(kind))


def configured(**settings):
    small = {
        "generator": {"width": 4, "latent_size": 3},
        "discriminator": {"width": 4},
        "trainer": {"steps": 2, "batch_size": 6},
    }
    return resolve.resolve_layers(
        [{"dataset": {"name": "digits"}, "backbone": "mlp", **small, **settings}], REGISTRY
    )


def method_of(config):
    dataset = build.make_dataset(config, REGISTRY)
    return build.make_method(config, dataset.spec, REGISTRY)


@components("game")
def test_game(name):
    testing.check_game(REGISTRY.get("game", name)())


@components("posterior")
def test_posterior(name):
    testing.check_posterior(REGISTRY.get("posterior", name))


@components("generator")
def test_generator(name):
    testing.check_generator(partial(REGISTRY.get("generator", name), width=4))


@components("discriminator")
def test_discriminator(name):
    testing.check_discriminator(partial(REGISTRY.get("discriminator", name), width=4))


@components("encoder")
def test_encoder(name):
    testing.check_encoder(partial(REGISTRY.get("encoder", name), width=4))


@components("augmentation")
def test_augmentation(name):
    testing.check_augmentation(REGISTRY.get("augmentation", name))


@components("optimizer")
def test_optimizer(name):
    testing.check_optimizer(REGISTRY.get("optimizer", name)())


@components("rules")
def test_rules(name):
    testing.check_rules(REGISTRY.get("rules", name)())


class Pictures(Dataset):
    """Noise in the shape of MNIST, which every backbone takes, with labels."""

    name = "pictures"
    spec = DataSpec((1, 28, 28), (-1.0, 1.0), ("rain", "snow", "hail"))
    preparation = "made by the test"

    def split(self, part):
        x = torch.rand(12, *self.spec.x_shape, generator=torch.Generator().manual_seed(0))
        return TensorSplit(2 * x - 1, torch.arange(12) % 3)


METHODS = {name: {"name": name} for name in REGISTRY.names("method")} | {
    "bigan": {"name": "ali", "deterministic": True},
    "alice-adversarial": {"name": "alice", "cycle": "adversarial"},
    "dali-own-trunk": {"name": "dali", "share_features": False},
}


def roles_of(method):
    cls = REGISTRY.get("method", method["name"])
    params = {name: value for name, value in method.items() if name != "name"}
    return cls.roles(**check_parameters(cls, "method", params))


NARROW = {"mlp": {}, "dcgan": {}, "infogan": {"hidden": 8}}
"""What keeps a backbone's generator and discriminator small, beside their width."""


def with_frozen(config):
    """The configuration, networks that the method wants trained being said to come from some run."""
    roles = roles_of({"name": config.method.name, **config.method.params})
    frozen = [role.kind for role in roles.values() if role.frozen]
    slots = {kind: config.players[kind].model_copy(update={"from_run": "elsewhere"}) for kind in frozen}
    return config.model_copy(update=slots)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("backbone", NARROW)
@pytest.mark.parametrize("method", METHODS)
def test_method(method, backbone, conditional):
    narrow = {"width": 4, **NARROW[backbone]}
    networks = {"generator": {"latent_size": 3, **narrow}, "discriminator": narrow}
    given = {**METHODS[method], "conditional": conditional}
    config = with_frozen(configured(method=given, backbone=backbone, **networks))
    # Not to borrow leaves frozen networks with the weights they were made with, and needs no run to exist.
    build_method = partial(build.make_method, config, Pictures.spec, REGISTRY, borrow=False)
    testing.check_method(build_method, Pictures())


@pytest.mark.parametrize("backbone", NARROW)
@pytest.mark.parametrize("method", METHODS)
def test_what_a_conditional_method_generates_and_infers_depends_on_the_label(method, backbone):
    narrow = {"width": 4, **NARROW[backbone]}
    networks = {"generator": {"latent_size": 3, **narrow}, "discriminator": narrow}
    given = {**METHODS[method], "conditional": True}
    config = with_frozen(configured(method=given, backbone=backbone, **networks))
    built = build.make_method(config, Pictures.spec, REGISTRY, borrow=False).eval()
    with torch.no_grad():
        x, z = torch.rand(4, *Pictures.spec.x_shape), built.prior(4)
        y, other = torch.tensor([0, 1, 2, 0]), torch.tensor([1, 2, 0, 1])
        assert not torch.equal(built.generate(z, y), built.generate(z, other))
        if built.infers:
            assert not torch.equal(built.code(x, y), built.code(x, other))


def asking_for(kind):
    return [m for m in METHODS if any(role.kind == kind for role in roles_of(METHODS[m]).values())]


PLAYED, AUGMENTED = asking_for("game"), asking_for("augmentation")


@components("game")
@pytest.mark.parametrize("method", PLAYED)
def test_every_method_plays_every_game(method, name):
    """A paired game asks for real logits, another for five steps, a third has a penalty on pairs too."""
    config = configured(method=METHODS[method], game={"name": name})
    dataset = build.make_dataset(config, REGISTRY)
    trainer = Trainer(method_of(config), dataset, steps=2, batch_size=6)
    trainer.fit()
    assert all(math.isfinite(loss) for loss in trainer.losses().values())


@pytest.mark.parametrize("name", ["digits", "grid25", "ring8"])
def test_dataset(name):
    """Those that need files are checked on files of their own, in tests/components/datasets."""
    testing.check_dataset(REGISTRY.get("dataset", name)())


@components("metric")
def test_metric(name):
    """On the first data at hand that it takes; one that takes none of them is checked on data of its own."""
    for data in ("digits", "grid25"):
        config = configured(dataset={"name": data})
        dataset = build.make_dataset(config, REGISTRY)
        try:
            make = build.make_metrics({name: {}}, dataset, REGISTRY)[name]
            refused = make("test").unfit(method_of(config))
        except UserError as error:
            refused = str(error)
        if not refused:
            testing.check_metric(make, method_of(config))
            return
    pytest.skip(f"tests/components/metrics has data for it: {refused}")


@components("callback")
def test_callback(name, tmp_path):
    config = configured()
    dataset = build.make_dataset(config, REGISTRY)
    metrics = build.make_metrics(config.metrics, dataset, REGISTRY)
    run = RunDirectory(tmp_path / "run")
    run.create(config, RunFacts(data=DataFacts.of(dataset)))
    cls = REGISTRY.get("callback", name)
    often = {"every": 1} if "every" in parameter_model(cls).model_fields else {}
    callback = cls(Context(run, dataset, metrics), **often)
    testing.check_callback(callback, partial(method_of, config), dataset)


@components("backbone")
def test_backbone_names_registered_networks(name):
    backbone: Backbone = REGISTRY.get("backbone", name)
    for kind in ("generator", "discriminator", "encoder"):
        REGISTRY.get(kind, getattr(backbone, kind))


@components("recipe")
def test_recipe(name):
    testing.check_recipe(REGISTRY.get("recipe", name), REGISTRY)


@components("study")
def test_study(name):
    testing.check_study(REGISTRY.get("study", name), REGISTRY)


@pytest.mark.parametrize("backbone", REGISTRY.names("backbone"))
@pytest.mark.parametrize("posterior", [*REGISTRY.names("posterior"), None])
@pytest.mark.parametrize("game", REGISTRY.names("game"))
def test_every_game_posterior_and_backbone_train_together(game, posterior, backbone):
    named = {"game": {"name": game}, "backbone": backbone}
    method = {"method": {"name": "gan"}} if posterior is None else {"posterior": {"name": posterior}}
    config = configured(**named, **method)
    dataset = build.make_dataset(config, REGISTRY)
    trainer = Trainer(method_of(config), dataset, steps=2, batch_size=6)
    trainer.fit()
    assert trainer.step == 2


@components("augmentation")
@pytest.mark.parametrize("method", AUGMENTED)
def test_every_method_that_judges_data_trains_under_every_augmentation(method, name):
    penalised = {"game": {"r1": 1.0}} if method in PLAYED else {}
    config = configured(method=METHODS[method], augmentation=name, **penalised)
    trainer = Trainer(method_of(config), build.make_dataset(config, REGISTRY), steps=2, batch_size=6)
    trainer.fit()
    assert all(math.isfinite(loss) for loss in trainer.losses().values())


@components("optimizer")
@pytest.mark.parametrize("where", ["all roles", "one role"])
def test_every_optimizer_steps_all_roles_or_one(name, where, tmp_path):
    """Whichever it is, the class that torch steps with is the chosen one's there, and Adam elsewhere."""
    chosen = {"optimizer": {"name": name}}
    one = {"roles": {"encoder": chosen}}
    config = configured(trainer={"steps": 2, "batch_size": 6, **(chosen if where == "all roles" else one)})
    trainer = build.make_trainer(config, REGISTRY, RunDirectory(tmp_path / "run"))
    steppers = {role: type(optimizer.torch) for role, optimizer in trainer.optimizers.items()}
    rate, here = torch.tensor(0.1), [torch.nn.Parameter(torch.ones(1))]
    mine = type(REGISTRY.get("optimizer", name)().over(here, rate))
    assert set(steppers) == {"generator", "discriminator", "encoder"}
    assert steppers["encoder"] is mine
    assert steppers["generator"] is (mine if where == "all roles" else torch.optim.Adam)
    trainer.watchers.callbacks.clear()
    trainer.fit()
    assert all(math.isfinite(loss) for loss in trainer.losses().values())
