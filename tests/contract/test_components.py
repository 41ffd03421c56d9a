"""Every registered component, installed plugins' too, through the contract's checks."""

import math
from functools import partial

import pytest
import torch

from dalikit import testing
from dalikit.assembly import build, resolve
from dalikit.assembly.parameters import validated
from dalikit.assembly.registry import Registry
from dalikit.errors import UserError
from dalikit.interfaces import Backbone, Dataset, Recipe, TensorSplit
from dalikit.runs import Context, DataFacts, Facts, RunDirectory
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
    return resolve.layered(
        [{"dataset": {"name": "digits"}, "backbone": "mlp", **small, **settings}], REGISTRY
    )


def method_of(config):
    dataset = build.make_dataset(config.dataset, REGISTRY)
    return build.make_method(config, build.DataShape(dataset.x_shape, dataset.value_range), REGISTRY)


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


class Pictures(Dataset):
    """Noise in the shape of MNIST, which every backbone takes."""

    name = "pictures"
    x_shape = (1, 28, 28)
    value_range = (-1.0, 1.0)
    preparation = "made by the test"

    def split(self, part):
        x = torch.rand(12, *self.x_shape, generator=torch.Generator().manual_seed(0))
        return TensorSplit(2 * x - 1)


METHODS = {name: {"name": name} for name in REGISTRY.names("method")} | {
    "bigan": {"name": "ali", "deterministic": True},
    "alice-adversarial": {"name": "alice", "cycle": "adversarial"},
    "dali-own-trunk": {"name": "dali", "share_features": False},
}


def roles_of(method):
    cls = REGISTRY.get("method", method["name"])
    params = {name: value for name, value in method.items() if name != "name"}
    return cls.roles(**validated(cls, "method", params))


NARROW = {"mlp": {}, "dcgan": {}, "infogan": {"hidden": 8}}
"""What keeps a backbone's generator and discriminator small, beside their width."""


def with_frozen(config):
    """The configuration, networks that the method wants trained being said to come from some run."""
    roles = roles_of({"name": config.method.name, **config.method.params})
    frozen = [role.kind for role in roles.values() if role.frozen]
    slots = {kind: getattr(config, kind).model_copy(update={"from_run": "elsewhere"}) for kind in frozen}
    return config.model_copy(update=slots)


@pytest.mark.parametrize("backbone", NARROW)
@pytest.mark.parametrize("method", METHODS)
def test_method(method, backbone):
    narrow = {"width": 4, **NARROW[backbone]}
    networks = {"generator": {"latent_size": 3, **narrow}, "discriminator": narrow}
    config = with_frozen(configured(method=METHODS[method], backbone=backbone, **networks))
    data = Pictures()
    shape = build.DataShape(data.x_shape, data.value_range)
    # Not to borrow leaves frozen networks with the weights they were made with, and needs no run to exist.
    testing.check_method(lambda: build.make_method(config, shape, REGISTRY, borrow=False), data)


PLAYED = [m for m in METHODS if any(r.kind == "game" for r in roles_of(METHODS[m]).values())]


@components("game")
@pytest.mark.parametrize("method", PLAYED)
def test_every_method_plays_every_game(method, name):
    """A paired game asks for real logits, another for five steps, a third has a penalty on pairs too."""
    config = configured(method=METHODS[method], game={"name": name})
    dataset = build.make_dataset(config.dataset, REGISTRY)
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
        dataset = build.make_dataset(config.dataset, REGISTRY)
        try:
            make = build.make_metrics({name: {}}, dataset, REGISTRY)[name]
            refused = make().unfit(method_of(config))
        except UserError as error:
            refused = str(error)
        if not refused:
            testing.check_metric(make, method_of(config))
            return
    pytest.skip(f"tests/components/metrics has data for it: {refused}")


@components("callback")
def test_callback(name, tmp_path):
    config = configured()
    dataset = build.make_dataset(config.dataset, REGISTRY)
    metrics = build.make_metrics(config.metrics, dataset, REGISTRY)
    run = RunDirectory(tmp_path / "run")
    run.create(config, Facts(data=DataFacts(x_shape=dataset.x_shape, value_range=(-1.0, 1.0))))
    callback = REGISTRY.get("callback", name)(Context(run, dataset, metrics), every=1)
    testing.check_callback(callback, partial(method_of, config), dataset)


@components("backbone")
def test_backbone_names_registered_networks(name):
    backbone: Backbone = REGISTRY.get("backbone", name)
    for kind in ("generator", "discriminator", "encoder"):
        REGISTRY.get(kind, getattr(backbone, kind))


@components("recipe")
def test_recipe_resolves_to_a_method_that_can_be_built(name):
    recipe: Recipe = REGISTRY.get("recipe", name)
    assert recipe.description
    assert recipe.stands_for
    config = resolve.layered([{"recipe": name}], REGISTRY)
    assert method_of(config).phases()


@pytest.mark.parametrize("backbone", REGISTRY.names("backbone"))
@pytest.mark.parametrize("posterior", [*REGISTRY.names("posterior"), None])
@pytest.mark.parametrize("game", REGISTRY.names("game"))
def test_every_game_posterior_and_backbone_train_together(game, posterior, backbone):
    named = {"game": {"name": game}, "backbone": backbone}
    method = {"method": {"name": "gan"}} if posterior is None else {"posterior": {"name": posterior}}
    config = configured(**named, **method)
    dataset = build.make_dataset(config.dataset, REGISTRY)
    trainer = Trainer(method_of(config), dataset, steps=2, batch_size=6)
    trainer.fit()
    assert trainer.step == 2
