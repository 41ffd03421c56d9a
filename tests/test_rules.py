"""Settings that nobody gave: what the rules make of a situation, and what resolution makes of rules."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalikit.assembly import build, resolve, timing
from dalikit.assembly.origins import origins
from dalikit.assembly.registry import Registry
from dalikit.components.methods.dali import DALI
from dalikit.components.rules.standard import Standard
from dalikit.errors import UserError
from dalikit.interfaces import Backbone, DataSpec, Derived, Pace, Role, Situation

REGISTRY = Registry.discover()
STEP_AT_16 = 0.01
"""Seconds."""


def situation(
    shape=(1, 28, 28),
    seconds=None,
    method=DALI,
    given=None,
    device="cpu",
    step=STEP_AT_16,
    convolutional=True,
    count=50_000,
):
    """One in which everything is taken, and networks of twice the width take three times as long."""
    said = given or {}

    def measure(settings):
        width = said.get("generator.width") or settings.get("generator.width", 16)
        return Pace(step * 3 ** np.log2(width / 16), 0.5, 2.0)

    return Situation(
        spec=DataSpec(shape, (-1.0, 1.0)),
        count=lambda: count,
        method=method,
        roles={"discriminator": Role("discriminator", reads="x")},
        backbone=Backbone("net", "", "net", "net", "net", convolutional=convolutional),
        device=device,
        seconds=None if seconds is None else lambda: seconds,
        takes=lambda path, value: path not in said,
        default={"generator.width": 64, "discriminator.width": 64}.get,
        given=said.get,
        measure=measure,
    )


def derived(*args, **kwargs):
    return {path: each.value for path, each in Standard().derive(situation(*args, **kwargs)).items()}


@pytest.mark.parametrize(
    ("shape", "size"), [((1, 8, 8), 16), ((1, 28, 28), 64), ((3, 32, 32), 128), ((3, 64, 64), 256), ((2,), 2)]
)
def test_the_code_grows_as_the_root_of_the_data(shape, size):
    assert derived(shape)["generator.latent_size"] == size


@pytest.mark.parametrize(("shape", "first"), [((1, 28, 28), 0.5), ((3, 28, 28), 0.0), ((2,), 0.0)])
def test_grey_images_alone_are_trained_with_momentum(shape, first):
    assert derived(shape)["trainer.optimizer.betas"] == [first, 0.99]


def test_r1_follows_pixels_and_batch():
    assert derived((1, 28, 28))["game.r1"] == 0.3
    assert derived((3, 56, 56))["game.r1"] == 1.2
    assert derived((1, 28, 28), given={"trainer.batch_size": 32})["game.r1"] == 0.6


@given(st.floats(30, 3600), st.floats(1e-4, 1.0))
def test_a_training_fits_into_its_time_and_uses_it(seconds, step):
    found = derived(seconds=seconds, step=step)
    known = situation(seconds=seconds, step=step)
    pace = known.measure({"generator.width": found["generator.width"]})
    steps, every = found["trainer.steps"], found["callbacks.evaluation.every"]
    taken = steps * pace.step + (steps // every) * pace.pause + pace.end
    assert taken <= seconds or steps == 1
    assert taken >= 0.85 * seconds or pace.step * 2 + pace.pause + pace.end > 0.1 * seconds


@given(st.floats(60, 3600), st.floats(1e-3, 0.2))
def test_networks_are_as_wide_as_leaves_enough_steps(seconds, step):
    found = derived(seconds=seconds, step=step)
    width, steps = found["generator.width"], found["trainer.steps"]
    assert found["discriminator.width"] == width
    assert steps >= Standard().wanted or width == 8
    wider = situation(seconds=seconds, step=step).measure({"generator.width": 2 * width}).step
    # By the rule's guess of 3.2, where this machine takes 3 times as long, a little room is left.
    assert width == 128 or seconds / wider < Standard().wanted * 1.3


def test_where_the_time_holds_too_few_steps_the_reason_says_so():
    known = situation(seconds=120, step=0.5)
    found = Standard().derive(known)
    assert found["generator.width"].value == 8
    assert found["trainer.steps"].value < Standard().wanted
    assert "the narrowest" in found["generator.width"].reason
    wide = Standard().derive(situation(seconds=600))["generator.width"]
    assert wide.reason == "the widest that leaves 1,500 steps in the time"


def test_few_images_get_no_wider_networks_from_more_time():
    widths = [derived(seconds=600, step=1e-3, count=n)["generator.width"] for n in (9000, 10_000)]
    assert widths == [16, 128]
    assert derived(seconds=60, step=0.5, count=9000)["generator.width"] == 8


def test_widths_of_other_networks_are_their_own():
    assert "generator.width" not in derived(seconds=600, convolutional=False)


def test_widths_that_are_given_stand():
    found = derived(seconds=600, given={"generator.width": 16, "discriminator.width": 16})
    assert "generator.width" not in found


@pytest.mark.parametrize(
    ("rate", "situation"),
    [
        (2e-3, {}),
        (5e-4, {"device": "cuda"}),
        (1e-3, {"given": {"generator.width": 16, "discriminator.width": 32}}),
        (2e-3, {"given": {"generator.width": 8, "discriminator.width": 8}}),
        (2e-3, {"convolutional": False, "given": {"generator.width": 512}}),
        (2.5e-4, {"seconds": 600, "step": 1e-3}),
    ],
)
def test_the_rate_falls_with_the_widest_network(rate, situation):
    """Up to a width of 16 it is what it is; those of the time are as wide as that allows, 128 here."""
    assert derived(**situation)["trainer.lr"] == rate


def test_without_a_time_no_steps_are_made_up():
    assert "trainer.steps" not in derived()
    assert derived()["generator.width"] == 16
    assert derived(device="cuda")["generator.width"] == 64


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """An .npz file of grey pictures that no recipe names."""
    path = tmp_path_factory.mktemp("pictures") / "pictures.npz"
    rng = np.random.default_rng(0)
    np.savez(path, images=rng.integers(0, 256, (60, 8, 8), dtype=np.uint8))
    return path


@pytest.fixture
def clockwork(monkeypatch):
    """Measurements that take no time: ten milliseconds a step."""
    found = []

    def measure(config, registry, dataset, patience):
        found.append(config)
        return Pace(0.01, 0.1, 0.2)

    monkeypatch.setattr("dalikit.assembly.completion.measure_pace", measure)
    return found


def settings(path, **more):
    return {"dataset": {"name": "arrays", "path": str(path)}, **more}


def test_what_nobody_gives_is_derived_and_the_user_and_recipes_overrule(pictures, clockwork):
    plain = resolve.resolve_layers([settings(pictures, trainer={"steps": 5})], REGISTRY)
    assert not clockwork
    assert (plain.method.params["lam"], plain.players["discriminator"].params["norm"]) == (
        "balanced",
        "batch",
    )
    dali = {"name": "dali", "lam": 0.25}
    said = settings(pictures, trainer={"steps": 5, "lr": 0.5}, method=dali, recipe="sn-gan")
    config = resolve.resolve_layers([said], REGISTRY)
    assert (config.trainer["lr"], config.method.params["lam"]) == (0.5, 0.25)
    assert config.players["discriminator"].params["norm"] == "spectral"  # the recipe's
    assert config.players["game"].params["r1"] == 0.0


def test_a_time_becomes_plain_numbers(pictures, clockwork):
    config = resolve.resolve_layers([settings(pictures, minutes=2)], REGISTRY)
    assert config.minutes == 2
    assert 10_000 < config.trainer["steps"] <= 12_000
    assert config.callbacks["checkpoint"]["every"] == config.callbacks["pictures"]["every"]
    asked = len(clockwork)
    assert asked >= 1
    again = resolve.resolve_layers([config.model_dump()], REGISTRY)
    assert again == config
    assert len(clockwork) == asked  # what is written down is not measured again


def test_ten_minutes_where_nobody_says_anything(pictures, clockwork):
    assert resolve.resolve_layers([settings(pictures)], REGISTRY).minutes == 10


def test_a_time_outranks_the_steps_of_a_weaker_layer_and_steps_of_a_stronger_one_stand(clockwork):
    assert resolve.resolve_layers([{"minutes": 1}], REGISTRY).trainer["steps"] != 3600
    over = resolve.resolve_layers([{"minutes": 1}, {"trainer": {"steps": 7}}], REGISTRY)
    assert over.trainer["steps"] == 7


def test_a_callback_that_is_switched_off_stays_off(pictures, clockwork):
    config = resolve.resolve_layers([settings(pictures, callbacks={"pictures": None})], REGISTRY)
    assert config.callbacks["pictures"] is None


def test_what_means_nothing_to_a_component_is_not_set(pictures, clockwork):
    config = resolve.resolve_layers([settings(pictures, game="wgan", trainer={"optimizer": "sgd"})], REGISTRY)
    assert "r1" not in config.players["game"].params
    assert config.players["discriminator"].params["norm"] == "spectral"
    assert "betas" not in config.trainer["optimizer"]


def test_rules_are_a_component_with_settings(pictures, clockwork):
    given = settings(pictures, rules={"r1": 3.0}, trainer={"steps": 5})
    config = resolve.resolve_layers([given], REGISTRY)
    assert config.players["game"].params["r1"] == pytest.approx(3.0 * 64 / 784, rel=0.05)
    with pytest.raises(UserError, match="rules 'standard' has no parameter 'speed'"):
        resolve.resolve_layers([settings(pictures, rules={"speed": 1})], REGISTRY)


@pytest.mark.parametrize(("path", "value"), [("trainer.lr", -1.0), ("trainer.rate", 0.1)])
def test_rules_that_make_what_the_trainer_refuses_are_named(pictures, monkeypatch, path, value):
    monkeypatch.setattr(Standard, "derive", lambda self, known: {path: Derived(value, "made up")})
    with pytest.raises(
        UserError, match=re.escape(f"rules 'standard' makes {path} = {value}, which is refused")
    ):
        resolve.resolve_layers([settings(pictures, trainer={"steps": 5})], REGISTRY)


def test_origins_say_who_gave_each_setting(pictures, clockwork):
    found = origins(resolve.resolve([settings(pictures, trainer={"lr": 0.5}, recipe="sn-gan")], REGISTRY))
    assert found["trainer.lr"] == "given"
    assert found["discriminator.norm"] == "recipe 'sn-gan'"
    assert found["trainer.schedule"].startswith("derived: ")
    assert found["discriminator.hidden"] == "default"


def test_few_images_are_augmented_and_codes_are_judged_by_no_rule_of_images(pictures, clockwork):
    assert derived(count=9_999)["augmentation.name"] == "ada"
    assert "augmentation.name" not in derived(count=10_000)
    config = resolve.resolve_layers([settings(pictures, method="aae", trainer={"steps": 5})], REGISTRY)
    assert config.players["game"].params["r1"] == 0.0
    assert config.players["discriminator"].params["norm"] == "spectral"


def test_a_time_that_holds_no_training_is_refused():
    with pytest.raises(UserError, match="minutes hold 7 steps of this training"):
        derived(seconds=30, step=10.0)


def test_steps_and_minutes_together_are_refused(cli, pictures):
    for words in (["--minutes", 1, "--set", "trainer.steps=5"], ["--steps", 5, "--set", "minutes=1"]):
        found = cli("config", "--data", pictures, *words)
        assert found.returncode == 2
        assert "A number of steps and minutes both say how long to train" in found.stderr


def test_what_is_given_is_checked_before_anything_follows_from_it(cli, pictures):
    for setting in ("trainer.batch_size=abc", "minutes=.inf", "trainer.optimizer=3"):
        found = cli("config", "--data", pictures, "--set", setting)
        assert (found.returncode, found.stderr.count("\n")) == (2, 1), found.stderr


def test_intervals_that_the_user_gives_outlive_a_time(clockwork):
    file = {"dataset": "digits", "callbacks": {"log": {"every": 7}}, "trainer": {"steps": 99}}
    config = resolve.resolve_layers([file, {"minutes": 2}], REGISTRY)
    assert config.callbacks["log"]["every"] == 7
    assert config.trainer["steps"] != 99


def test_a_path_that_was_made_absolute_is_still_the_users(pictures, clockwork, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    layers = [{"dataset": {"name": "arrays", "path": pictures.name}, "trainer": {"steps": 5}}]
    assert origins(resolve.resolve(layers, REGISTRY))["dataset.path"] == "given"


def test_a_dry_run_prints_networks_memory_and_time_and_makes_no_run(cli, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = cli("train", "--data", pictures, "--steps", 20, "--dry-run")
    assert found.returncode == 0, found.stderr
    assert "generator" in found.stdout
    config = resolve.resolve_layers([settings(pictures, trainer={"steps": 20})], REGISTRY)
    method = build.make_method(config, DataSpec((1, 8, 8), (-1.0, 1.0)), REGISTRY)
    assert f"{sum(p.numel() for p in method.parameters()):,} in all" in found.stdout
    assert "Time: 20 steps at" in found.stdout
    assert not list(tmp_path.iterdir())


def test_minutes_are_kept_by_the_command(command, pictures, tmp_path):
    options = ("--set", "trainer.batch_size=8", "--set", "generator.latent_size=4", "--minutes", 0.3)
    found = command("train", "--data", pictures, *options, "--out", tmp_path / "run")
    assert found.returncode == 0, found.stderr
    assert "in about 0.3 minutes" in found.stdout
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert "ms a step" in facts["origins"]["trainer.steps"]


class Stopped:
    """A training as a stopwatch sees it, on a clock of the test's."""

    step = 0
    stopped = False

    def losses(self, reader):
        return {}

    def stop(self):
        self.stopped = True


@pytest.mark.parametrize(("seconds", "most"), [(0.001, 4000), (0.5, 20), (10.0, 2)])
def test_a_stopwatch_times_fast_and_slow_steps_within_its_patience(monkeypatch, seconds, most):
    now = [0.0]
    monkeypatch.setattr(timing.time, "monotonic", lambda: now[0])
    watch, fit = timing.Stopwatch(9.0), Stopped()
    while not fit.stopped:
        now[0] += 3.0 if fit.step == 0 else seconds  # the first step fetches what the others need
        fit.step += 1
        watch.step_end(fit)
    assert fit.step <= most
    assert now[0] <= 9.0 + seconds + 3.0
    assert watch.step == pytest.approx(seconds) or fit.step == 1


def test_a_measured_pace_is_of_the_training_itself(pictures):
    config = resolve.resolve_layers([settings(pictures, trainer={"steps": 5, "batch_size": 8})], REGISTRY)
    from dalikit.assembly.build import make_dataset

    timing.SECONDS, before = 0.0, timing.SECONDS
    try:
        pace = timing.measure_pace(config, REGISTRY, make_dataset(config, REGISTRY))
    finally:
        timing.SECONDS = before
    assert 0 < pace.step < 5
    assert 0 < pace.pause < 5
    assert pace.end > 0
