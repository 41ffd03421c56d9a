"""Schedules of rates and weights, restated, and the laws that all of them keep."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from players import BOTH, Points, Recorder, dali
from pydantic import TypeAdapter, ValidationError

from dalikit.components.games.gan import GAN
from dalikit.functional.schedules import Schedule, ScheduleLike
from dalikit.interfaces import Callback
from dalikit.training import Optimization, Trainer

FORMS = ("constant", "linear", "cosine", "inverse-sqrt")


def restated(form: str, step: int, steps: int, warmup: float, period: int) -> float:
    """The factor of iteration `step` of `steps`, `period` iterations being one unit of time."""
    p = step / steps
    factor = {
        "constant": 1.0,
        "linear": 1 - p,
        "cosine": (1 + math.cos(math.pi * p)) / 2,
        "inverse-sqrt": 1 / math.sqrt(1 + step // period),
    }[form]
    return factor * (p / warmup if p < warmup else 1.0)


@st.composite
def moments(draw) -> tuple[int, int]:
    """A step of a training, and how many there are."""
    steps = draw(st.integers(1, 1000))
    return draw(st.integers(0, steps)), steps


forms = st.sampled_from(FORMS)
warmups = st.sampled_from([0.0, 0.01, 0.25, 0.5, 0.9])


@settings(deadline=None)
@given(form=forms, moment=moments(), warmup=warmups, period=st.integers(1, 1000))
def test_the_factor_is_the_formulas(form, moment, warmup, period):
    step, steps = moment
    expected = restated(form, step, steps, warmup, period)
    schedule = Schedule(form=form, warmup=warmup, period=period / steps)
    assert float(schedule.factor(step / steps)) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    handed = Schedule(form=form, warmup=warmup)
    assert float(handed.factor(step / steps, period / steps)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(form=forms, moment=moments(), warmup=warmups, period=st.integers(1, 1000))
def test_a_tensor_on_the_device_says_the_same(form, moment, warmup, period):
    """Weights follow the trainer's tensor, in single precision: after hundreds of units of time a unit may
    begin a step late, which moves the factor by less than what is allowed here."""
    step, steps = moment
    schedule = Schedule(form=form, warmup=warmup, period=period / steps)
    found = torch.as_tensor(schedule.factor(torch.tensor(step / steps)))
    expected = restated(form, step, steps, warmup, period)
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=7e-5)


@settings(deadline=None)
@given(form=forms, moment=moments(), warmup=warmups, period=st.integers(1, 1000))
def test_a_factor_lies_between_0_and_1_and_never_rises_after_the_warm_up(form, moment, warmup, period):
    step, steps = moment
    schedule = Schedule(form=form, warmup=warmup, period=period / steps)
    here = float(schedule.factor(step / steps))
    assert 0 <= here <= 1
    if step / steps >= warmup:
        assert float(schedule.factor(min(1.0, (step + 1) / steps))) <= here
        assert here == pytest.approx(float(Schedule(form=form, period=period / steps).factor(step / steps)))


@pytest.mark.parametrize("form", FORMS)
def test_the_ends(form):
    assert float(Schedule(form=form).factor(0.0)) == 1
    assert float(Schedule(form=form, warmup=0.2).factor(0.0)) == 0
    assert float(Schedule(form=form, warmup=0.2, period=0.5).factor(0.2)) == pytest.approx(
        restated(form, 20, 100, 0.0, 50)
    )
    if form in ("linear", "cosine"):
        assert float(Schedule(form=form).factor(1.0)) == pytest.approx(0, abs=1e-12)


def test_one_that_never_moves_is_no_tensor_at_all():
    assert Schedule().factor(torch.tensor(0.3)) == 1.0
    assert not isinstance(Schedule().factor(torch.tensor(0.3)), torch.Tensor)


written = TypeAdapter(ScheduleLike)


@settings(deadline=None)
@given(form=forms, warmup=st.sampled_from([0.0, 0.3]), period=st.sampled_from([None, 0.1]))
def test_what_is_written_down_is_read_again(form, warmup, period):
    schedule = Schedule(form=form, warmup=warmup, period=period)
    plain = json.loads(written.dump_json(schedule))
    assert written.validate_python(plain) == schedule
    assert written.validate_json(written.dump_json(schedule)) == schedule
    assert isinstance(plain, str) == (not warmup and period is None)


@pytest.mark.parametrize(
    "wrong", ["cubic", {"warmup": 1.0}, {"warmup": -0.1}, {"period": 0}, {"shape": "linear"}, 3]
)
def test_what_is_no_schedule_is_refused(wrong):
    with pytest.raises(ValidationError):
        written.validate_python(wrong)


@settings(deadline=None)
@given(form=forms, moment=moments(), warmup=warmups, period=st.integers(1, 1000), epoch=st.integers(1, 1000))
def test_a_rates_time_is_counted_in_its_period_or_in_epochs(form, moment, warmup, period, epoch):
    step, steps = moment
    schedule = {"form": form, "warmup": warmup}
    for own, unit in ((None, epoch), (period, period)):
        rate = Optimization(lr=0.3, schedule=schedule, period=own).rate(step, steps, epoch)
        assert rate == pytest.approx(0.3 * restated(form, step, steps, warmup, unit), abs=1e-12)


@pytest.mark.parametrize("warmup", [0.0, 0.5])
@pytest.mark.parametrize("form", FORMS)
def test_each_step_is_taken_at_its_rate(form, warmup):
    """20 data in batches of 10: an epoch is two steps. Another role's schedule is its own."""
    rates = {"critic": [], "generator": []}

    class Spy(Callback):
        name = "spy"

        def step_end(self, fit):
            for role, seen in rates.items():
                seen.append(fit.optimizers[role].torch.param_groups[0]["lr"].item())

    own = {"generator": {"lr": 0.5, "schedule": "linear"}}
    options = {"lr": 0.1, "schedule": {"form": form, "warmup": warmup}, "roles": own}
    Trainer(Recorder(*BOTH), Points(), [Spy()], steps=8, batch_size=10, **options).fit()
    assert rates["critic"] == pytest.approx([0.1 * restated(form, t, 8, warmup, 2) for t in range(8)])
    assert rates["generator"] == pytest.approx([0.5 * restated("linear", t, 8, 0.0, 2) for t in range(8)])


class Terms(Callback):
    """The losses of each step."""

    name = "terms"

    def __init__(self):
        self.seen = []

    def step_end(self, fit):
        self.seen.append(fit.losses(self.name))


@pytest.mark.parametrize("warmup", [0.0, 0.5])
@pytest.mark.parametrize("form", FORMS)
def test_lambda_follows_its_schedule(form, warmup):
    terms = Terms()
    method = dali(lam=0.6, lam_schedule={"form": form, "warmup": warmup, "period": 0.25}).double()
    Trainer(method, Points(), [terms], steps=8, batch_size=5).fit()
    phase = "generator+encoder"
    weights = [(s[f"{phase}/total"] - s[f"{phase}/loss"]) / (s[f"{phase}/nll"] / 3) for s in terms.seen]
    assert weights == pytest.approx([0.6 * restated(form, t, 8, warmup, 2) for t in range(8)], abs=1e-9)


@pytest.mark.parametrize("warmup", [0.0, 0.5])
@pytest.mark.parametrize("form", FORMS)
def test_a_penaltys_weight_follows_its_schedule(form, warmup):
    """At a critic that nobody moves, whose penalty is always that of the data."""
    terms, plain = Terms(), Terms()
    schedule = {"form": form, "warmup": warmup, "period": 0.25}
    for watch, game in ((terms, GAN(r1=0.5, r1_schedule=schedule)), (plain, GAN(r1=1.0))):
        Trainer(dali(game).double(), Points(), [watch], steps=8, batch_size=20, lr=1e-30).fit()
    found, unit = ([s["discriminator/penalty"] for s in watch.seen] for watch in (terms, plain))
    expected = [0.5 * restated(form, t, 8, warmup, 2) * unit[t] for t in range(8)]
    assert min(unit) > 0
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)
