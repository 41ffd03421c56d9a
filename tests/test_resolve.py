"""From layers to a complete configuration."""

import json

import jsonschema
import pytest
import yaml

from dalikit.assembly import resolve
from dalikit.assembly.registry import Registry
from dalikit.errors import UnfitError, UserError
from dalikit.runs.config import from_file, merged, to_yaml

REGISTRY = Registry.discover()


def resolved(*layers):
    return resolve.layered(list(layers), REGISTRY)


def test_no_settings_are_the_recipe_of_the_default_data():
    config = resolved()
    assert config.recipe == "digits"
    assert (config.method.name, config.game.name, config.posterior.name) == ("dali", "gan", "diag")
    assert config.generator.name == config.discriminator.name == config.encoder.name == "dcgan"
    assert config.generator.latent_size == 16


def test_a_data_set_brings_the_recipe_of_its_name():
    config = resolved({"dataset": "ring8"})
    assert config.recipe == "ring8"
    assert config.backbone == "mlp"
    assert config.generator.latent_size == 2


def test_every_parameter_is_filled_in():
    config = resolved({"game": "wgan", "trainer": {"lr": 0.5}})
    assert config.game.params == {
        "lipschitz": "penalty",
        "weight": 10.0,
        "clip": 0.01,
        "discriminator_steps": 5,
    }
    assert config.trainer["lr"] == 0.5
    assert config.trainer["clip_norm"] is None
    assert config.trainer["steps"] == resolved().trainer["steps"]


def test_settings_win_over_the_recipe_they_come_with():
    config = resolved({"recipe": "grid25", "generator": {"width": 7}, "trainer": {"steps": 3}})
    assert config.generator.params["width"] == 7
    assert config.generator.params["x_scale"] == 2.0
    assert config.trainer["steps"] == 3


def test_a_method_without_posterior_and_encoder_has_none():
    config = resolved({"method": "gan"})
    assert config.posterior is None
    assert config.encoder is None
    assert config.game.name == "gan"


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (
            {"method": "gan", "posterior": "diag"},
            "Method 'gan' has no posterior, so posterior 'diag' means nothing",
        ),
        ({"method": "gan", "encoder": {"width": 3}}, "Method 'gan' has no encoder"),
        ({"method": {"name": "gan", "lam": 0.5}}, r"method 'gan' has no parameter 'lam'.* It takes: nothing"),
        ({"game": "gam"}, r"Unknown game 'gam'\. Did you mean 'gan'\?"),
        ({"game": {"name": "hinge", "weight": 3}}, "game 'hinge' has no parameter 'weight'"),
        ({"generator": {"width": "wide"}}, "generator 'dcgan': parameter 'width' = 'wide'"),
        ({"backbone": "vgg"}, "Unknown backbone 'vgg'"),
        ({"recipe": "grid"}, r"Unknown recipe 'grid'\. Did you mean 'grid25'\?"),
        ({"dataset": "mnits"}, "Unknown dataset 'mnits'"),
        ({"trainer": {"step": 3}}, r"trainer has no parameter 'step'\. Did you mean 'steps'\?"),
        ({"trainer": {"roles": {"encoder": {"rate": 1}}}}, r"roles\.encoder\.rate"),
        ({"callbacks": {"logg": {}}}, r"Unknown callback 'logg'\. Did you mean 'log'\?"),
        ({"callbacks": {"log": {"every": 0}}}, "callback 'log': parameter 'every' = 0"),
        ({"method": {"lam": -1.0}}, "method 'dali': parameter 'lam' = -1.0"),
    ],
)
def test_what_means_nothing_is_refused(layer, says):
    with pytest.raises(UserError, match=says):
        resolved(layer)


def test_a_game_for_a_method_that_plays_none_is_refused(monkeypatch):
    from dalikit.components.methods.gan import PlainGAN

    monkeypatch.setattr(
        PlainGAN, "roles", classmethod(lambda cls, **p: {"generator": resolve.Role("generator")})
    )
    with pytest.raises(UnfitError, match="Method 'gan' has no game, so game 'hinge' means nothing"):
        resolved({"method": "gan"}, {"game": "hinge"})


@pytest.mark.parametrize("recipe", REGISTRY.names("recipe"))
@pytest.mark.parametrize("layer", [{}, {"method": "gan"}, {"game": "relativistic"}, {"seed": 4}])
def test_a_resolved_configuration_is_a_fixed_point_and_survives_its_file(recipe, layer, tmp_path):
    if "game" in layer and resolved({"recipe": recipe}).game is None:
        pytest.skip("this method plays no game")
    config = resolved({"recipe": recipe}, layer)
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config))
    again = merged([from_file(path)])
    assert again == config
    assert resolve.resolved(again, REGISTRY) == config
    assert resolve.layered([from_file(path)], REGISTRY) == config


@pytest.mark.parametrize("recipe", REGISTRY.names("recipe"))
def test_every_resolved_configuration_meets_the_schema(recipe):
    schema = resolve.json_schema(REGISTRY)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(to_yaml(resolved({"recipe": recipe}))), schema)


@pytest.mark.parametrize(
    "wrong",
    [
        {"game": {"name": "gan", "r1": "much"}},
        {"game": {"name": "gan", "nonsense": 1}},
        {"trainer": {"step": 3}},
        {"surprise": {}},
        {"generator": {"name": "mlp", "latent_size": 0}},
    ],
)
def test_the_schema_refuses_what_dalikit_refuses(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, resolve.json_schema(REGISTRY))


def test_the_config_command_prints_what_train_would_use(tmp_path, cli):
    shown = cli("config", "--game", "fkl").stdout
    path = tmp_path / "c.yaml"
    path.write_text(shown)
    assert merged([from_file(path)]) == resolved({"game": "fkl"})
    jsonschema.validate(yaml.safe_load(shown), json.loads(cli("config", "--schema").stdout))
