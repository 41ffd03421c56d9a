"""Which plugins are loaded, by whom, and which component is meant where several bear one name."""

import json
import os
import sys

import fakes
import pytest
import torch

import dalikit
from dalikit import training_run
from dalikit.assembly import resolve
from dalikit.assembly.registry import PluginWarning, Registry
from dalikit.cli.general import brought_forward
from dalikit.errors import PluginError, UserError
from dalikit.runs import RunDirectory
from dalikit.runs.configtext import from_file

SMALL = [
    *("--backbone", "mlp", "--set", "generator.width=8", "--set", "generator.latent_size=3"),
    *("--set", "trainer.batch_size=8", "--set", "callbacks.pictures=null", "--steps", 2),
]
LAPLACE = """
import torch
from dalikit.hookspecs import offer
from dalikit.interfaces import Posterior
from torch.distributions import Independent, Laplace

DALIKIT_API = 2

class Sharp(Posterior):
    name = "{name}"
    def __init__(self, latent_size, /, *, scale: float = {scale}):
        super().__init__()
        self.latent_size, self.scale = latent_size, scale
    def heads(self):
        return (self.latent_size,)
    def forward(self, *heads):
        scale = torch.full_like(heads[0], self.scale)
        return Independent(Laplace(heads[0], scale, validate_args=False), 1, validate_args=False)

dalikit_components = offer(Sharp)
"""


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two packages with a posterior `sharp` each, of another scale."""
    for name, scale in (("one", 0.5), ("two", 2.0)):
        source = LAPLACE.format(name="sharp", scale=scale)
        fakes.install(tmp_path / "site", monkeypatch, f"fake-{name}", source)


@pytest.mark.parametrize("name", ["fake-two:sharp", "Fake_Two:sharp"])
def test_a_name_that_two_packages_offer_is_had_by_its_package(two, name, tmp_path, cli):
    done = cli("train", *SMALL, "--posterior", name, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert from_file(tmp_path / "run" / "config.yaml")["posterior"] == {"name": name, "scale": 2.0}
    model = dalikit.load(tmp_path / "run")
    assert type(model.method.family).__module__ == "fake_two"
    components = json.loads((tmp_path / "run" / "run.json").read_text())["components"]
    assert {"kind": "posterior", "name": name, "distribution": "fake-two", "version": "1.0"} in components
    done = cli("train", "--resume", tmp_path / "run", "--steps", 3)
    assert done.returncode == 0, done.stderr


def test_names_that_are_offered_twice_are_listed_in_full(two):
    registry = Registry.discover()
    assert {"fake-one:sharp", "fake-two:sharp"} <= set(registry.names("posterior"))
    assert "sharp" not in registry.names("posterior")
    assert registry.get("posterior", "dalikit:diag") is registry.get("posterior", "diag")
    with pytest.raises(UserError, match="Did you mean 'fake-two:sharp'"):
        registry.get("posterior", "fake-twi:sharp")


def test_a_backbone_is_made_of_its_own_packages_networks(tmp_path, monkeypatch):
    source = """
        from dalikit.components.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator
        from dalikit.hookspecs import offer
        from dalikit.interfaces import Backbone

        DALIKIT_API = 2

        class Own(MLPGenerator):
            name = "both"

        dalikit_components = offer(Own, Backbone("BONE", "", "both", "mlp", "mlp"))
    """
    for name in ("one", "two"):
        fakes.install(tmp_path, monkeypatch, f"fake-{name}", source.replace("BONE", f"bone-{name}"))
    config = resolve.resolve_layers([{"backbone": "bone-two", "trainer": {"steps": 1}}], Registry.discover())
    assert config.players["generator"].name == "fake-two:both"
    assert config.players["discriminator"].name == "mlp"


def test_the_environment_says_which_plugins_are_loaded(two, monkeypatch):
    def loaded(said):
        monkeypatch.setenv("DALIKIT_PLUGINS", said)
        found = {row.distribution for row in Registry.discover(strict=False).rows}
        return {name for name in ("dalikit", "fake-one", "fake-two") if name in found}

    assert loaded("fake_two") == {"dalikit", "fake-two"}
    assert loaded("-fake-two") == {"dalikit", "fake-one"}
    assert loaded("fake-one, fake-two,-fake-one") == {"dalikit", "fake-two"}
    assert loaded("dalikit") == {"dalikit"}
    assert loaded("") == {"dalikit", "fake-one", "fake-two"}
    with pytest.raises(UserError, match=r"'fake-on'\. Did you mean 'fake-one'\? Installed: .*fake-two"):
        loaded("-fake-on")


def test_a_plugin_is_left_out_by_an_option_of_every_command(two, cli):
    def listed(*words):
        return {row["distribution"] for row in json.loads(cli(*words).stdout)}

    assert "fake-two" in listed("plugins", "--json")
    for words in (
        ["plugins", "--json", "--no-plugin", "fake-two"],
        ["--no-plugin=fake-two", "plugins", "--json"],
    ):
        assert "fake-two" not in listed(*words)
        assert "fake-one" in listed(*words)
    assert "DALIKIT_PLUGINS" not in os.environ
    done = cli("sample", "nowhere", "--no-plugin")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--no-plugin names a plugin" in done.stderr
    assert cli("plugins", "--no-plugin", "nobody").returncode == 2


def test_a_run_without_its_plugin_says_that_it_was_left_out(tmp_path, monkeypatch, cli):
    fakes.install(tmp_path / "site", monkeypatch, "fake-one", LAPLACE.format(name="sharp", scale=0.5))
    run = tmp_path / "run"
    assert cli("train", *SMALL, "--posterior", "sharp", "--out", run).returncode == 0
    done = cli("sample", run, "--no-plugin", "fake-one")
    assert done.returncode == 2
    assert "posterior 'sharp' of fake-one 1.0, which DALIKIT_PLUGINS or --no-plugin leaves out" in done.stderr


def test_strict_ends_any_command_at_anything_broken(trained, tmp_path, monkeypatch, cli):
    fakes.install(tmp_path, monkeypatch, "fake-broken", "raise ImportError('gone')")
    for words in (["--strict", "encode"], ["encode", "--strict"]):
        command, *rest = [*words, trained, "--out", tmp_path / "codes.npz"]
        done = cli(command, *rest)
        assert done.returncode == 2
        assert "plugin 'plugin' of fake-broken 1.0: ImportError: gone" in done.stderr
    assert "DALIKIT_STRICT" not in os.environ


def test_words_behind_two_dashes_are_left_where_they_are():
    assert brought_forward(["sample", "--", "--strict"]) == ["sample", "--", "--strict"]


def test_a_run_imports_the_plugins_alone_that_it_was_made_with(trained, tmp_path, monkeypatch):
    for name in ("one", "two"):
        fakes.install(tmp_path, monkeypatch, f"fake-{name}", fakes.GAME.format(name=name))
    model = dalikit.load(trained)
    assert not {"fake_one", "fake_two"} & set(sys.modules)
    with pytest.raises(UserError, match="Unknown metric 'nothing'"):
        model.evaluate(["nothing"])
    assert {"fake_one", "fake_two"} <= set(sys.modules)  # whoever may have it was asked
    assert {"one", "two"} <= set(model.registry.names("game"))


def test_another_package_that_offers_the_name_too_does_not_disturb_a_run(tmp_path, monkeypatch, cli):
    fakes.install(tmp_path / "site", monkeypatch, "fake-one", LAPLACE.format(name="sharp", scale=0.5))
    run = tmp_path / "run"
    assert cli("train", *SMALL, "--posterior", "sharp", "--out", run).returncode == 0
    fakes.install(tmp_path / "site", monkeypatch, "fake-two", LAPLACE.format(name="sharp", scale=2.0))
    with pytest.raises(PluginError, match="is offered by"):
        Registry.discover().get("posterior", "sharp")
    assert type(dalikit.load(run).method.family).__module__ == "fake_one"
    assert cli("train", "--resume", run, "--steps", 3).returncode == 0


def test_a_plugin_of_another_version_is_named_with_both(tmp_path, monkeypatch, cli):
    source = LAPLACE.format(name="sharp", scale=0.5)
    fakes.install(tmp_path / "old", monkeypatch, "fake-one", source)
    run = tmp_path / "run"
    assert cli("train", *SMALL, "--posterior", "sharp", "--out", run).returncode == 0
    fakes.install(tmp_path / "new", monkeypatch, "fake-one", source, version="2.0")
    said = "posterior 'sharp' was of fake-one 1.0, and is of fake-one 2.0"
    with pytest.warns(UserWarning, match=said):
        model = dalikit.load(run)
    assert torch.isfinite(model.sample(2)).all()
    registry = Registry.discover()
    with pytest.warns(UserWarning, match=said), training_run.resume(run, registry, 3) as training:
        training.fit()


def test_a_healthy_run_says_nothing_of_its_plugins(trained):
    from dalikit.assembly.inventory import registry_for, tell_updates

    run = RunDirectory.open(trained)
    assert tell_updates(run, registry_for(run)) == ""


def test_a_broken_plugin_that_a_run_does_not_need_is_not_warned_of(trained, tmp_path, monkeypatch, recwarn):
    fakes.install(tmp_path, monkeypatch, "fake-broken", "raise ImportError('gone')")
    dalikit.load(trained)
    assert [each for each in recwarn if each.category is PluginWarning] == []
