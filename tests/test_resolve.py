"""From layers to a complete configuration."""

import json

import jsonschema
import pytest
import yaml

from dalikit.assembly import checking, completion, resolve, suggesting
from dalikit.assembly.registry import Registry
from dalikit.assembly.schema import json_schema
from dalikit.errors import UnfitError, UserError
from dalikit.interfaces import Role
from dalikit.runs.config import merge
from dalikit.runs.configtext import from_file, to_yaml

REGISTRY = Registry.discover()


def resolved(*layers):
    return resolve.resolve_layers(list(layers), REGISTRY)


def test_no_settings_are_the_recipe_of_the_default_data():
    config = resolved()
    assert config.recipe == "digits"
    assert config.method.name == "dali"
    assert {kind: slot.name for kind, slot in config.players.items()} == {
        "generator": "dcgan",
        "discriminator": "dcgan",
        "encoder": "dcgan",
        "game": "gan",
        "posterior": "diag",
        "augmentation": "none",
    }
    assert config.latent_size == 16


def test_a_data_set_brings_the_recipe_of_its_name():
    config = resolved({"dataset": "ring8"})
    assert config.recipe == "ring8"
    assert config.backbone == "mlp"
    assert config.latent_size == 2


def test_every_parameter_is_filled_in():
    config = resolved({"game": "wgan", "trainer": {"lr": 0.5}})
    assert config.players["game"].params == {
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
    assert config.players["generator"].params["width"] == 7
    assert config.players["generator"].params["x_scale"] == 2.0
    assert config.trainer["steps"] == 3


def test_a_role_has_the_optimizer_of_all_roles_but_for_what_is_said_of_it():
    roles = {"encoder": {"optimizer": {"eps": 1e-3}}, "generator": {"optimizer": {"name": "sgd"}}}
    settings = {"optimizer": {"betas": [0.0, 0.9]}, "roles": roles}
    trainer = resolved({"trainer": settings}).trainer
    assert trainer["optimizer"] == {"name": "adam", "betas": (0.0, 0.9), "eps": 1e-8}
    assert trainer["roles"]["encoder"]["optimizer"] == {"name": "adam", "betas": (0.0, 0.9), "eps": 1e-3}
    assert trainer["roles"]["generator"]["optimizer"] == {"name": "sgd", "momentum": 0.0, "nesterov": False}


def test_an_optimizers_name_alone_says_all():
    assert resolved({"trainer": {"optimizer": "rmsprop"}}).trainer["optimizer"]["name"] == "rmsprop"


def test_another_optimizer_has_none_of_the_recipes_own_settings():
    own = resolved({"recipe": "digits"}).trainer["optimizer"]
    assert own["betas"] != checking.parameters_of("optimizer", "adam", {}, REGISTRY)["betas"]
    sgd = resolved({"recipe": "digits", "trainer": {"optimizer": "sgd"}}).trainer["optimizer"]
    assert sgd == {"name": "sgd", "momentum": 0.0, "nesterov": False}


def test_a_method_without_posterior_and_encoder_has_none():
    config = resolved({"method": "gan"})
    assert "posterior" not in config.players
    assert "encoder" not in config.players
    assert config.players["game"].name == "gan"


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (
            {"method": "gan", "posterior": "diag"},
            "Method 'gan' has no posterior, so posterior 'diag' means nothing",
        ),
        ({"method": "gan", "encoder": {"width": 3}}, "Method 'gan' has no encoder"),
        ({"method": {"name": "gan", "lam": 0.5}}, r"method 'gan' has no parameter 'lam'.* It takes: cond"),
        ({"game": "gam"}, r"Unknown game 'gam'\. Did you mean 'gan'\?"),
        ({"game": {"name": "hinge", "weight": 3}}, "game 'hinge' has no parameter 'weight'"),
        ({"generator": {"width": "wide"}}, "generator 'dcgan': parameter 'width' = 'wide'"),
        ({"backbone": "vgg"}, "Unknown backbone 'vgg'"),
        ({"recipe": "grid"}, r"Unknown recipe 'grid'\. Did you mean 'grid25'\?"),
        ({"dataset": "mnits"}, "Unknown dataset 'mnits'"),
        ({"trainr": {}}, r"Unknown section 'trainr'\. Did you mean 'trainer'\?"),
        ({"trainer": {"step": 3}}, r"trainer has no parameter 'step'\. Did you mean 'steps'\?"),
        ({"trainer": {"roles": {"encoder": {"rate": 1}}}}, r"roles\.encoder has no parameter 'rate'"),
        ({"trainer": {"optimizer": {"beta": 1}}}, r"trainer\.optimizer: .*'adam' has no parameter 'beta'"),
        ({"trainer": {"optimizer": {"betas": [0.5, 1]}}}, r"optimizer 'adam': parameter 'betas\.1' = 1"),
        ({"trainer": {"optimizer": "adams"}}, r"Unknown optimizer 'adams'\. Did you mean 'adam'\?"),
        (
            {"trainer": {"roles": {"encoder": {"optimizer": {"name": "sgd", "betas": [0, 0]}}}}},
            r"trainer\.roles\.encoder\.optimizer: optimizer 'sgd' has no parameter 'betas'",
        ),
        ({"augmentation": "adda"}, r"Unknown augmentation 'adda'\. Did you mean 'ada'\?"),
        ({"method": "vae", "augmentation": "ada"}, "Method 'vae' has no augmentation, so .*'ada' means"),
        ({"method": "aae", "augmentation": {"strength": 1}}, "Method 'aae' has no augmentation"),
        ({"callbacks": {"logg": {}}}, r"Unknown callback 'logg'\. Did you mean 'log'\?"),
        ({"callbacks": {"log": {"every": 0}}}, "callback 'log': parameter 'every' = 0"),
        ({"method": {"lam": -1.0}}, "method 'dali': parameter 'lam' = -1.0"),
    ],
)
def test_what_means_nothing_is_refused(layer, says):
    with pytest.raises(UserError, match=says):
        resolved(layer)


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ({"lr": 0.1}, r"Unknown section 'lr': .* Did you mean trainer\.lr\?$"),
        ({"lam": 0.1}, r"Did you mean method\.lam\?$"),
        ({"learning_rate": 0.1}, r"Did you mean trainer\.lr\?$"),
        ({"batchsize": 3}, r"Did you mean trainer\.batch_size\?$"),
        ({"latent_size": 3}, r"Did you mean generator\.latent_size\?$"),
        ({"momentum": 0.5}, r"Did you mean trainer\.optimizer\.momentum\?$"),
        ({"width": 3}, r"Did you mean .*generator\.width or discriminator\.width or encoder\.width\?$"),
        ({"every": 3}, r"callbacks\.checkpoint\.every or .*, or \d more\?$"),
        ({"surprise": 3}, "Unknown section 'surprise'. Sections: "),
    ],
)
def test_a_setting_without_its_section_is_told_where_it_stands(layer, says):
    with pytest.raises(UserError, match=says):
        resolved(layer)


def test_every_setting_that_is_suggested_is_one():
    """The trainer's and the components' parameters, each under the path that a layer takes it at."""
    suggested = {path for paths in suggesting._settings(REGISTRY).values() for path in paths}
    for path in (
        "trainer.steps",
        "posterior.name",
        "generator.from_run",
        "method.lam",
        "metrics.modes.count",
    ):
        assert (path in suggested) == (path != "posterior.name")
    for path in sorted(suggested):
        layer = 3
        for part in reversed(path.split(".")):
            layer = {part: layer}
        suggesting.check_known([layer], REGISTRY)  # raises for a section that is none


def test_a_game_for_a_method_that_plays_none_is_refused(monkeypatch):
    from dalikit.components.methods.gan import PlainGAN

    monkeypatch.setattr(PlainGAN, "roles", classmethod(lambda cls, **p: {"generator": Role("generator")}))
    with pytest.raises(UnfitError, match="Method 'gan' has no game, so game 'hinge' means nothing"):
        resolved({"method": "gan"}, {"game": "hinge"})


SCHEDULES = {"trainer": {"schedule": {"form": "cosine", "warmup": 0.1}, "optimizer": {"betas": [0.0, 0.9]}}}


@pytest.mark.parametrize("recipe", REGISTRY.names("recipe"))
@pytest.mark.parametrize("layer", [{}, {"method": "gan"}, {"game": "relativistic"}, {"seed": 4}, SCHEDULES])
def test_a_resolved_configuration_is_a_fixed_point_and_survives_its_file(recipe, layer, tmp_path):
    if "game" in layer and "game" not in resolved({"recipe": recipe}).players:
        pytest.skip("this method plays no game")
    config = resolved({"recipe": recipe}, layer)
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config))
    again = merge([from_file(path)])
    assert yaml.safe_load(to_yaml(again)) == yaml.safe_load(to_yaml(config))
    assert checking.check(again, REGISTRY) == config
    assert completion.complete(again, REGISTRY)[0] == config
    assert completion.complete(config, REGISTRY)[0] == config
    assert resolve.resolve_layers([from_file(path)], REGISTRY) == config


@pytest.mark.parametrize("recipe", REGISTRY.names("recipe"))
def test_every_resolved_configuration_meets_the_schema(recipe):
    schema = json_schema(REGISTRY)
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
        {"augmentation": {"name": "diffaugment", "colour": "blue"}},
        {"trainer": {"schedule": {"form": "sinus"}}},
        {"trainer": {"optimizer": {"name": "adam", "beta": 1}}},
        {"trainer": {"roles": {"encoder": {"optimizer": {"name": "sgd", "momentum": 1}}}}},
        {"trainer": {"roles": {"encoder": {"rate": 1}}}},
    ],
)
def test_the_schema_refuses_what_dalikit_refuses(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json_schema(REGISTRY))


def test_the_config_command_prints_what_train_would_use(tmp_path, cli):
    shown = cli("config", "--game", "fkl").stdout
    path = tmp_path / "c.yaml"
    path.write_text(shown)
    assert checking.check(merge([from_file(path)]), REGISTRY) == resolved({"game": "fkl"})
    assert shown == to_yaml(resolved({"game": "fkl"}))
    jsonschema.validate(yaml.safe_load(shown), json.loads(cli("config", "--schema").stdout))
