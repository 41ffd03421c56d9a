"""Layers of settings: who wins, what is dropped, what is refused; and YAML there and back."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dalikit.errors import UserError
from dalikit.runs.config import RunConfig, join, merge
from dalikit.runs.configtext import from_assignment, from_file, to_yaml


def test_the_defaults_are_the_papers_dali_on_digits():
    config = merge([])
    assert (config.method.name, config.dataset.name, config.seed) == ("dali", "digits", 0)


def test_later_layers_win_and_add():
    config = merge([{"trainer": {"lr": 1.0, "steps": 5}}, {"trainer": {"lr": 2.0}}, {"seed": 3}])
    assert config.trainer == {"lr": 2.0, "steps": 5}
    assert config.seed == 3


def test_a_layer_that_names_another_component_drops_the_other_ones_parameters():
    below = {"game": {"name": "wgan", "weight": 3.0}}
    assert merge([below, {"game": "gan"}]).players["game"].params == {}
    assert merge([below, {"game": {"clip": 0.1}}]).players["game"].params == {"weight": 3.0, "clip": 0.1}
    assert merge([below, {"game": {"name": "wgan"}}]).players["game"].params == {"weight": 3.0}


def test_another_backbone_drops_the_networks_of_the_first():
    below = {"backbone": "dcgan", "generator": {"width": 9}, "encoder": {"convs": 2}}
    config = merge([below, {"backbone": "mlp", "generator": {"depth": 3}}])
    assert config.players["generator"].params == {"depth": 3}
    assert "encoder" not in config.players
    assert merge([below, {"backbone": "dcgan"}]).players["generator"].params == {"width": 9}


def test_a_name_and_a_parameter_mean_the_same_in_either_order():
    below = {"game": {"name": "gan", "r1": 1.0}}
    for name in ({"name": "wgan"}, "wgan"):
        pieces = [{"game": {"lipschitz": "clip"}}, {"game": name}]
        for order in (pieces, pieces[::-1]):
            slot = merge([below, join(order)]).players["game"]
            assert (slot.name, slot.params) == ("wgan", {"lipschitz": "clip"})


BETAS = {"betas": [0.0, 0.9]}


@pytest.mark.parametrize(
    ("below", "above", "found"),
    [
        (BETAS, "sgd", {"name": "sgd"}),
        (BETAS, {"name": "sgd", "momentum": 0.5}, {"name": "sgd", "momentum": 0.5}),
        (BETAS, "adam", {"name": "adam", **BETAS}),
        ({"name": "sgd", "momentum": 0.5}, "adam", {"name": "adam"}),
        (BETAS, {"eps": 1e-3}, {**BETAS, "eps": 1e-3}),
        ("sgd", {"momentum": 0.5}, {"name": "sgd", "momentum": 0.5}),
    ],
)
def test_another_optimizer_drops_the_first_ones_settings_for_all_roles_and_for_one(below, above, found):
    kept = {"lr": 1.0, "roles": {"generator": {"lr": 2.0, "optimizer": BETAS}}}
    config = merge([{"trainer": {**kept, "optimizer": below}}, {"trainer": {"optimizer": above}}])
    assert config.trainer == {**kept, "optimizer": found}
    layers = [{"trainer": {"roles": {"encoder": {"lr": 3.0, "optimizer": x}}}} for x in (below, above)]
    roles = merge([{"trainer": kept}, *layers]).trainer["roles"]
    assert roles == {**kept["roles"], "encoder": {"lr": 3.0, "optimizer": found}}


def test_the_latent_size_outlives_the_generator_it_was_set_with():
    below = {"backbone": "dcgan", "generator": {"latent_size": 7, "width": 3}}
    for layer in ({"backbone": "mlp"}, {"generator": {"name": "mlp"}}):
        slot = merge([below, layer]).players["generator"]
        assert (slot.latent_size, slot.params) == (7, {})


def test_metrics_go_with_the_data_they_were_for():
    below = {"dataset": "grid25", "metrics": {"modes": {"count": 5}}}
    assert merge([below, {"dataset": "digits"}]).metrics == {}
    assert merge([below, {"dataset": {"sigma": 1.0}}]).metrics == {"modes": {"count": 5}}


def test_a_callback_can_be_taken_out():
    assert merge([{"callbacks": {"pictures": None}}]).callbacks["pictures"] is None


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ({"trainr": 3}, r"Unknown section 'trainr'\. Did you mean 'trainer'\?"),
        ({"steps": 3}, r"Unknown section 'steps'\..* trainer\.steps"),
        ({"game": 3}, r"game = 3: [^?]*$"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": "7"}, "seed = '7'"),
        ({"trainer": 3}, "trainer = 3"),
        ({"method": 3}, "method"),
        ({"generator": {"latent_size": 0}}, "latent_size = 0"),
        ({"generator": {"latent_size": "16"}}, "latent_size = '16'"),
        ({"callbacks": {"log": 3}}, "callbacks.log"),
        ({"threads": 0}, "threads = 0"),
    ],
)
def test_what_is_unknown_or_mistyped_is_refused(layer, says):
    with pytest.raises(UserError, match=says):
        merge([layer])


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("method.lam=0.5", {"method": {"lam": 0.5}}),
        ("trainer.lr=1e-4", {"trainer": {"lr": 1e-4}}),
        ("trainer.lr=2E3", {"trainer": {"lr": 2000.0}}),
        ("trainer.optimizer.betas=[0.5, 0.9]", {"trainer": {"optimizer": {"betas": [0.5, 0.9]}}}),
        ("method.share_features=false", {"method": {"share_features": False}}),
        ("game=fkl", {"game": "fkl"}),
        ("callbacks.pictures=null", {"callbacks": {"pictures": None}}),
        ("trainer.roles.encoder.lr=0.1", {"trainer": {"roles": {"encoder": {"lr": 0.1}}}}),
        ("dataset.path=a=b", {"dataset": {"path": "a=b"}}),
    ],
)
def test_assignments(text, settings):
    assert from_assignment(text) == settings


@pytest.mark.parametrize("text", ["seed=[2020", "method.lam", "=3", "a..b=3", ".a=3", "a.b=[1", ""])
def test_assignments_that_are_none(text):
    with pytest.raises(UserError, match="--set"):
        from_assignment(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_survive_yaml(value):
    text = yaml.safe_dump({"trainer": {"lr": value}})
    (found,) = merge([yaml.safe_load(text)]).trainer.values()
    assert found == value


def test_a_configuration_goes_through_its_file_and_back(tmp_path):
    config = merge(
        [{"game": {"name": "gan", "r1": 1e-5}, "trainer": {"optimizer": BETAS}, "callbacks": {"log": None}}]
    )
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config))
    assert merge([from_file(path)]) == config


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [1", "while parsing"),
        (b"- 1\n- 2\n", "holds no 'section: value' lines"),
        (b"", "holds no"),
        (b"\xff\xfe\x00", "not a text file|character"),
    ],
)
def test_files_that_are_no_configuration(tmp_path, content, says):
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=says):
        from_file(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.yaml: No such file"):
        from_file(tmp_path / "nowhere.yaml")


def test_yaml_cannot_run_code(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("seed: !!python/object/apply:os.getpid []\n")
    with pytest.raises(UserError, match=r"os\.getpid means nothing here"):
        from_file(path)


def test_a_configuration_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        RunConfig().seed = 3
