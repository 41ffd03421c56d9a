"""What a third party adds in one file: a kind of player, an optimizer, an augmentation."""

import fakes
import jsonschema
import pytest
import torch
import yaml

import dalikit
from dalikit import testing
from dalikit.assembly import build, resolve
from dalikit.assembly.registry import Registry
from dalikit.assembly.schema import json_schema
from dalikit.errors import UserError
from dalikit.runs import RunDirectory
from dalikit.runs.configtext import from_file

SMALL = {
    "backbone": "mlp",
    "generator": {"width": 8, "latent_size": 3},
    "discriminator": {"width": 8},
    "trainer": {"steps": 2, "batch_size": 8},
    "callbacks": {"pictures": None, "evaluation": None},
}


@pytest.fixture
def plugin(request, tmp_path, monkeypatch):
    """The registry with the plugin that the test names."""
    distribution = fakes.install_file(tmp_path / "site", monkeypatch, request.param)
    registry = Registry.discover(strict=True)
    assert distribution in {row.distribution for row in registry.rows}
    return registry


def with_plugin(name):
    return pytest.mark.parametrize("plugin", [name], indirect=True)


def resolved(registry, **settings):
    trainer = {**SMALL["trainer"], **settings.pop("trainer", {})}
    return resolve.resolve_layers([{**SMALL, **settings, "trainer": trainer}], registry)


def made(registry, tmp_path, **settings):
    """The trainer of a run that is never written."""
    trainer = build.make_trainer(resolved(registry, **settings), registry, RunDirectory(tmp_path / "run"))
    trainer.watchers.callbacks.clear()
    return trainer


def weights(run):
    return RunDirectory.open(run).load_checkpoint().state.tensors


WORDS = ["--backbone", "mlp", "--set", "generator.width=8", "--set", "generator.latent_size=3"]
WORDS += ["--set", "callbacks.evaluation=null", "--set", "callbacks.pictures=null"]
WORDS += ["--set", "trainer.batch_size=8", "--set", "trainer.schedule=constant"]  # others know the end


def at_once_and_in_halves(cli, tmp_path, *words):
    """Two runs of four steps, of which the second is resumed after two."""
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    for given in (
        [*words, *WORDS, "--steps", 4, "--out", whole],
        [*words, *WORDS, "--steps", 2, "--out", halves],
        ["--resume", halves, "--steps", 4],
    ):
        done = cli("train", *given)
        assert done.returncode == 0, done.stderr
    return whole, halves


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


# A new kind of player.


@with_plugin("prior")
def test_a_new_kind_is_found_and_its_default_taken(plugin):
    assert plugin.names("prior") == ["cube", "normal"]
    config = resolved(plugin, method="drawn-gan")
    assert (config.players["prior"].name, config.players["prior"].params) == ("normal", {"scale": 1.0})
    assert "prior" not in resolved(plugin, method="gan").players


@with_plugin("prior")
def test_the_config_command_shows_a_new_kind(plugin, cli):
    shown = cli("config", "--method", "drawn-gan", "--set", "prior.scale=2")
    assert shown.returncode == 0, shown.stderr
    assert yaml.safe_load(shown.stdout)["prior"] == {"name": "normal", "scale": 2.0}
    other = yaml.safe_load(cli("config", "--method", "drawn-gan", "--set", "prior=cube").stdout)
    assert other["prior"] == {"name": "cube"}


@with_plugin("prior")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--set prior.scal=2", "prior 'normal' has no parameter 'scal'. Did you mean 'scale'?"),
        ("--set prior.scale=wide", "prior 'normal': parameter 'scale' = 'wide'"),
        ("--set prior.scale=0", "prior 'normal': parameter 'scale' = 0"),
        ("--set prior=cub", "Unknown prior 'cub'. Did you mean 'cube'?"),
        ("--set prior.name=cube --set prior.scale=2", "prior 'cube' has no parameter 'scale'"),
        ("--set prior.latent_size=2", "prior 'normal' has no parameter 'latent_size'"),
        ("--method gan --set prior.scale=2", "Method 'gan' has no prior, so prior means nothing"),
    ],
)
def test_settings_of_a_new_kind_are_checked_by_name(plugin, cli, words, says):
    done = cli("config", "--method", "drawn-gan", *words.split())
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert says in done.stderr


def test_without_its_plugin_there_is_no_such_section(cli):
    done = cli("config", "--set", "prior.scale=2")
    assert done.returncode == 2
    assert "Unknown section 'prior'" in done.stderr


@with_plugin("prior")
def test_a_new_kind_stands_in_the_schema(plugin):
    schema = json_schema(plugin)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"prior": {"name": "normal", "scale": 2.0}}, schema)
    jsonschema.validate({"prior": {"name": "cube"}}, schema)
    for wrong in ({"name": "normal", "scal": 2.0}, {"name": "cube", "scale": 2.0}, {"name": "ball"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"prior": wrong}, schema)


@with_plugin("prior")
def test_a_new_kind_trains_by_its_setting_and_is_optimized_as_a_role(plugin, tmp_path):
    settings = {"method": "drawn-gan", "prior": {"scale": 2.0}}
    trainer = made(plugin, tmp_path, **settings, trainer={"roles": {"source": {"lr": 0.25}}})
    source = trainer.method.source
    assert trainer.method.prior(4000).std().item() == pytest.approx(2.0, rel=0.05)
    trainer.fit()
    assert trainer.step == 2
    assert source.centre.abs().max() > 0.1  # Adam's first steps are of about the rate
    assert set(trainer.optimizers) == {"generator", "discriminator", "source"}


@with_plugin("prior")
@pytest.mark.parametrize("prior", ["normal", "cube"])
def test_a_run_with_a_new_kind_resumes_to_the_bit_and_samples(plugin, prior, tmp_path, cli):
    whole, halves = at_once_and_in_halves(cli, tmp_path, "--method", "drawn-gan", "--set", f"prior={prior}")
    assert from_file(halves / "config.yaml")["prior"]["name"] == prior
    one, other = weights(whole), weights(halves)
    assert ("method/source.centre" in one) == (prior == "normal")
    assert_same(one, other)
    model = dalikit.load(halves, registry=plugin)
    assert torch.equal(model.sample(3, seed=1), dalikit.load(whole, registry=plugin).sample(3, seed=1))


# A new optimizer.


def steps_of(trainer):
    """By role, how far each entry of its parameters is moved by one iteration."""
    before = {role: [p.detach().clone() for p in o.parameters] for role, o in trainer.optimizers.items()}
    trainer.fit()
    pairs = {role: zip(before[role], o.parameters, strict=True) for role, o in trainer.optimizers.items()}
    return {role: torch.cat([(q - p).abs().flatten() for p, q in both]) for role, both in pairs.items()}


def all_of_one_length(steps, length):
    return bool((((steps - length).abs() < 1e-6) | (steps == 0)).all() and steps.any())


@with_plugin("sign_sgd")
def test_a_new_optimizer_keeps_the_contract(plugin):
    testing.check_optimizer(plugin.get("optimizer", "sign-sgd")())
    testing.check_optimizer(plugin.get("optimizer", "sign-sgd")(momentum=0.5))


RATES = {"lr": 0.01, "schedule": "constant", "clip_value": None, "clip_norm": None, "steps": 1}
PLAIN = {"discriminator": {"width": 8, "norm": "none"}}


@with_plugin("sign_sgd")
@pytest.mark.parametrize("slot", ["sign-sgd", {"name": "sign-sgd", "momentum": 0.5}])
def test_a_new_optimizer_steps_all_roles(plugin, slot, tmp_path):
    trainer = made(plugin, tmp_path, **PLAIN, trainer={**RATES, "roles": {}, "optimizer": slot})
    found = steps_of(trainer)
    assert set(found) == {"generator", "discriminator", "encoder"}
    rates = {role: trainer.settings.of(role).lr for role in found}
    assert all(all_of_one_length(steps, rates[role]) for role, steps in found.items())


@with_plugin("sign_sgd")
def test_a_new_optimizer_steps_one_role_and_the_common_one_the_others(plugin, tmp_path):
    roles = {"encoder": {"lr": 0.02, "optimizer": "sign-sgd"}}
    found = steps_of(made(plugin, tmp_path, **PLAIN, trainer={**RATES, "optimizer": "sgd", "roles": roles}))
    assert all_of_one_length(found["encoder"], 0.02)
    for role in ("generator", "discriminator"):
        assert found[role].any()
        assert len(found[role].unique()) > 10  # as long as its gradient


@with_plugin("sign_sgd")
def test_a_run_with_a_new_optimizer_resumes_to_the_bit(plugin, tmp_path, cli):
    chosen = ("--set", "trainer.optimizer=sign-sgd", "--set", "trainer.optimizer.momentum=0.5")
    one, other = (weights(run) for run in at_once_and_in_halves(cli, tmp_path, *chosen))
    assert any("momentum_buffer" in name for name in one)
    assert_same(one, other)


@with_plugin("sign_sgd")
def test_a_new_optimizers_parameters_are_checked_by_name(plugin):
    slot = {"name": "sign-sgd", "momentun": 0.5}
    with pytest.raises(
        UserError, match=r"trainer\.optimizer: optimizer 'sign-sgd' .* Did you mean 'momentum'"
    ):
        resolved(plugin, trainer={"optimizer": slot})
    with pytest.raises(UserError, match=r"trainer\.roles\.encoder\.optimizer: optimizer 'sign-sgd'"):
        resolved(plugin, trainer={"roles": {"encoder": {"optimizer": slot}}})
    with pytest.raises(UserError, match=r"Unknown optimizer 'sign-sg'\. Did you mean 'sign-sgd'"):
        resolved(plugin, trainer={"optimizer": "sign-sg"})


@with_plugin("sign_sgd")
def test_a_new_optimizer_stands_in_the_schema_for_all_roles_and_for_one(plugin):
    schema = json_schema(plugin)
    for slot, fits in (({"momentum": 0.5}, True), ({"momentun": 0.5}, False)):
        own = {"optimizer": {"name": "sign-sgd", **slot}}
        for trainer in (own, {"roles": {"encoder": own}}):
            valid = jsonschema.Draft202012Validator(schema).is_valid({"trainer": trainer})
            assert valid == fits


@with_plugin("sign_sgd")
def test_a_method_that_reads_adams_moments_refuses_another_optimizer(plugin, tmp_path):
    one = {"roles": {"discriminator": {"optimizer": "sign-sgd"}}}
    with pytest.raises(
        UserError, match=r"method 'unrolled' reads the moments of Adam.*'discriminator' must be"
    ):
        made(plugin, tmp_path, method="unrolled", trainer=one)
    made(
        plugin, tmp_path, method="unrolled", trainer={"roles": {"generator": {"optimizer": "sign-sgd"}}}
    ).fit()


# A new augmentation.


@with_plugin("snow")
def test_a_new_augmentation_keeps_the_contract(plugin):
    testing.check_augmentation(plugin.get("augmentation", "snow"))


@with_plugin("snow")
def test_a_new_augmentation_is_seen_in_training_alone(plugin, tmp_path):
    trainer = made(plugin, tmp_path, augmentation={"name": "snow", "level": 0.5})
    snow, seen = trainer.method.augmentation, []
    snow.register_forward_hook(lambda module, given, x: seen.append(len(given[0])))
    trainer.fit()
    assert int(snow.steps) == 2
    # D's real and generated data, and G's, in each of two iterations of eight data.
    assert seen == 6 * [8]
    x = torch.zeros(2, 1, 8, 8)
    trainer.inference.posterior(x)
    trainer.inference.generate(trainer.inference.prior(2))
    assert len(seen) == 6


@with_plugin("snow")
def test_a_new_augmentation_by_its_option_and_its_state_in_a_checkpoint(plugin, tmp_path, cli):
    whole, halves = at_once_and_in_halves(
        cli, tmp_path, "--augmentation", "snow", "--set", "augmentation.level=0.2"
    )
    assert from_file(halves / "config.yaml")["augmentation"] == {"name": "snow", "level": 0.2}
    one, other = weights(whole), weights(halves)
    assert int(one["method/augmentation.steps"]) == 4
    assert_same(one, other)


@with_plugin("snow")
def test_a_new_augmentations_parameters_are_checked_by_name(plugin):
    with pytest.raises(
        UserError, match=r"augmentation 'snow' has no parameter 'levl'\. Did you mean 'level'"
    ):
        resolved(plugin, augmentation={"name": "snow", "levl": 1})
