"""The trainer's promises, on small methods that record what is done to them."""

import copy
import dataclasses

import pytest
import torch
from players import BOTH, Points, Recorder, dali

from dalikit import objectives
from dalikit.components.games.gan import GAN
from dalikit.components.games.wgan import WGAN
from dalikit.errors import NonFiniteLossError, UnfitError
from dalikit.interfaces import Callback, DataSpec, Phase, PhaseLoss
from dalikit.training import Trainer


def fit_phase(name, method, **settings):
    """Train by one of a method's phases alone."""
    trainer = Trainer(method, Points(), batch_size=5, **settings)
    trainer.phases = [phase for phase in trainer.phases if phase.name == name]
    trainer.fit()


def test_phases_run_in_order_as_often_as_they_say():
    method = Recorder(
        {"name": "d", "trains": ("critic",), "repeats": 3}, {"name": "g", "trains": ("generator",)}
    )
    Trainer(method, Points(), steps=4, batch_size=5).fit()
    assert [name for name, _, _ in method.seen] == ["d", "d", "d", "g"] * 4
    assert [step for _, step, _ in method.seen] == [step for step in range(4) for _ in range(4)]


def test_a_penalised_loss_takes_the_others_place_in_every_nth_iteration():
    class Lazy(Recorder):
        def phases(self):
            penalised = self._recorded("penalised")
            return [Phase("d", ("critic",), self._recorded("d"), 2, penalised, penalty_every=3)]

    method = Lazy({"trains": ("critic",)})
    Trainer(method, Points(), steps=5, batch_size=5).fit()
    by_iteration = [name for name, _, _ in method.seen][::2]
    assert by_iteration == ["penalised", "d", "d", "penalised", "d"]
    assert [name for name, _, _ in method.seen][1::2] == by_iteration


def test_each_repeat_draws_afresh_and_the_last_draw_is_shared():
    method = Recorder(
        {"name": "d", "trains": ("critic",), "repeats": 3}, {"name": "g", "trains": ("generator",)}
    )
    Trainer(method, Points(), steps=1, batch_size=5).fit()
    draws = [iteration for _, _, iteration in method.seen]
    assert len({id(draw) for draw in draws[:3]}) == 3
    assert draws[2] is draws[3]
    assert not torch.equal(draws[0].z, draws[1].z)


def test_the_generated_batch_is_made_once_an_iteration():
    method = Recorder(*BOTH)
    Trainer(method, Points(), steps=3, batch_size=5).fit()
    assert method.generator.calls == 3


def test_after_a_step_of_the_generator_it_is_made_again_from_the_same_codes():
    method = Recorder({"name": "g", "trains": ("generator",)}, {"name": "d", "trains": ("critic",)})
    Trainer(method, Points(), steps=1, batch_size=5).fit()
    assert method.generator.calls == 2
    assert method.seen[0][2] is method.seen[1][2]


def test_a_phase_changes_nothing_it_does_not_train():
    method = Recorder(*BOTH)
    before = copy.deepcopy(method)
    fit_phase("g", method, steps=2)
    assert not torch.equal(method.generator.weight, before.generator.weight)
    for role in ("critic", "bystander"):
        for key, old in before.player(role).state_dict().items():
            assert torch.equal(method.player(role).state_dict()[key], old), (role, key)


def test_roles_that_no_phase_trains_stay_in_eval_mode():
    method = Recorder({"name": "d", "trains": ("critic",)})
    Trainer(method, Points(), steps=1, batch_size=5).fit()
    assert method.critic.training
    assert not method.bystander.training
    assert method.bystander.norm.num_batches_tracked == 0
    assert method.critic.norm.num_batches_tracked == 1


def test_after_is_called_once_a_step():
    calls = []
    method = Recorder(
        {"name": "d", "trains": ("critic",), "repeats": 2, "after": lambda: calls.append("after")}
    )
    Trainer(method, Points(), steps=3, batch_size=5).fit()
    assert len(calls) == 6


def test_the_nll_never_changes_the_shared_features_and_moves_g_and_e():
    method = dali(lam=5.0)
    before = copy.deepcopy(method)
    fit_phase("generator+encoder", method, steps=3, lr=0.1)
    for key, old in before.discriminator.state_dict().items():
        assert torch.equal(method.discriminator.state_dict()[key], old)
    for role in ("generator", "encoder"):
        pairs = zip(method.player(role).parameters(), before.player(role).parameters(), strict=True)
        assert all(not torch.equal(a, b) for a, b in pairs), role


def test_the_discriminators_step_never_changes_g_or_e():
    method = dali()
    before = copy.deepcopy(method)
    fit_phase("discriminator", method, steps=3, lr=0.1)
    for role in ("generator", "encoder"):
        for a, b in zip(method.player(role).parameters(), before.player(role).parameters(), strict=True):
            assert torch.equal(a, b), role


def test_gradients_of_no_other_role_are_even_computed():
    method = dali()
    Trainer(method, Points(), steps=1, batch_size=5).fit()
    grads = [p.grad.clone() for p in method.discriminator.parameters()]
    fit_phase("generator+encoder", method, steps=1)
    for parameter, old in zip(method.discriminator.parameters(), grads, strict=True):
        assert torch.equal(parameter.grad, old)


def test_lambda_weighs_the_nll_per_dimension_and_falls_linearly_if_asked():
    weights = []

    class Spy(Callback):
        name = "spy"

        def step_end(self, fit):
            losses = fit.losses()
            total, adversarial, nll = (losses[f"generator+encoder/{k}"] for k in ("total", "loss", "nll"))
            weights.append((total - adversarial) / (nll / 3))

    Trainer(dali(lam=0.8, lam_schedule="linear"), Points(), [Spy()], steps=4, batch_size=5).fit()
    assert weights == pytest.approx([0.8, 0.6, 0.4, 0.2], rel=1e-3)


def test_wgan_takes_five_steps_of_the_critic_on_fresh_data():
    method = dali(game=WGAN())
    trainer = Trainer(method, Points(), steps=2, batch_size=4)
    trainer.fit()
    assert trainer.images == 2 * 5 * 4


def test_the_average_follows_the_recursion():
    method = dali()
    trainer = Trainer(method, Points(), steps=5, batch_size=5, lr=0.05, ema=0.4)
    expected = [p.detach().clone() for p in method.parameters()]

    class Follow(Callback):
        name = "follow"

        def step_end(self, fit):
            decay = min(0.4, (1 + fit.step) / (10 + fit.step))
            for e, p in zip(expected, fit.method.parameters(), strict=True):
                e.mul_(decay).add_((1 - decay) * p.detach())

    trainer.watchers.add(Follow())
    trainer.fit()
    for a, b in zip(trainer.inference.parameters(), expected, strict=True):
        torch.testing.assert_close(a, b)
    assert not trainer.inference.training


def test_the_average_copies_buffers():
    method = Recorder({"name": "d", "trains": ("critic",)})
    trainer = Trainer(method, Points(), steps=3, batch_size=5)
    trainer.fit()
    assert torch.equal(trainer.inference.critic.norm.running_mean, method.critic.norm.running_mean)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.1] * 4),
        ({"schedule": "linear"}, [0.1, 0.075, 0.05, 0.025]),
        ({"schedule": "inverse-sqrt", "period": 1}, [0.1 / t**0.5 for t in (1, 2, 3, 4)]),
        # 20 data in batches of 10: an epoch is two steps
        ({"schedule": "inverse-sqrt"}, [0.1, 0.1, 0.1 / 2**0.5, 0.1 / 2**0.5]),
        ({"roles": {"critic": {"lr": 0.5}}}, [0.5] * 4),
        ({"roles": {"critic": {"schedule": "linear"}}}, [0.1, 0.075, 0.05, 0.025]),
    ],
)
def test_the_rate_of_each_step(options, expected):
    rates = []

    class Spy(Callback):
        name = "spy"

        def step_end(self, fit):
            rates.append(fit.optimizers["critic"].torch.param_groups[0]["lr"].item())

    method = Recorder(*BOTH)
    Trainer(method, Points(), [Spy()], steps=4, batch_size=10, lr=0.1, **options).fit()
    assert rates == pytest.approx(expected)


def test_every_role_has_this_iterations_rate_before_the_first_phase():
    """A method that looks ahead through another role's optimizer must not see the rate of the step before."""

    class Ahead(Recorder):
        def bind(self, optimizers):
            self.adam, self.rates = optimizers["generator"], []

        def _recorded(self, name):
            loss = super()._recorded(name)

            def looking(iteration):
                if name == "d":
                    self.rates.append(self.adam.param_groups[0]["lr"].item())
                return loss(iteration)

            return looking

    method = Ahead(*BOTH)
    Trainer(method, Points(), steps=4, batch_size=10, lr=0.1, schedule="linear").fit()
    assert method.rates == pytest.approx([0.1, 0.075, 0.05, 0.025])


class Steep(Recorder):
    """Its generator's gradient is (300, 400)."""

    def _recorded(self, name):
        def loss(iteration):
            total = (self.generator.weight * torch.tensor([300.0, 400.0])).sum()
            return PhaseLoss(total, {})

        return loss


@pytest.mark.parametrize(
    ("clip", "expected"),
    [
        ({}, [300, 400]),
        ({"clip_value": 350.0}, [300, 350]),
        ({"clip_norm": 5.0}, [3, 4]),
        ({"roles": {"generator": {"clip_norm": 10.0}}, "clip_norm": 5.0}, [6, 8]),
    ],
)
def test_gradient_clipping(clip, expected):
    method = Steep({"name": "g", "trains": ("generator",)})
    Trainer(method, Points(), steps=1, batch_size=5, **clip).fit()
    torch.testing.assert_close(method.generator.weight.grad, torch.tensor(expected).float())


def test_training_repeats_under_its_seed_and_leaves_the_callers_random_state_alone():
    ends = []
    for noise in (11, 12):
        torch.manual_seed(noise)
        method = dali()
        torch.manual_seed(noise)
        before = torch.get_rng_state()
        Trainer(method, Points(), (), 7, steps=4, batch_size=5).fit()
        assert torch.equal(torch.get_rng_state(), before)
        ends.append([p.detach().clone() for p in method.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_another_seed_gives_another_run():
    ends = []
    for seed in (7, 8):
        method = dali()
        Trainer(method, Points(), (), seed, steps=4, batch_size=5).fit()
        ends.append(method.generator.net[0].weight.detach().clone())
    assert not torch.equal(*ends)


def without_own_reading(scalars):
    """A state's scalars but for where the trainer's own reader stands, which looks for NaN at each end."""
    readers = {
        key: {reader: value for reader, value in readers.items() if reader != "trainer"}
        for key, readers in scalars["terms"].items()
    }
    return scalars | {"terms": readers}


def test_a_resumed_run_ends_as_an_uninterrupted_one():
    options = {"steps": 9, "batch_size": 6, "schedule": "linear", "lr": 1e-2}
    whole = Trainer(dali(WGAN(discriminator_steps=2)), Points(), (), 3, **options)
    whole.fit()

    class StopAtFour(Callback):
        name = "stop"

        def step_end(self, fit):
            if fit.step == 4:
                fit.stop()

    first = Trainer(dali(WGAN(discriminator_steps=2)), Points(), [StopAtFour()], 3, **options)
    first.fit()
    assert first.step == 4
    second = Trainer(dali(WGAN(discriminator_steps=2), seed=99), Points(), (), 55, **options)
    second.load_state(first.state())
    second.fit()
    assert (second.step, second.images) == (whole.step, whole.images)
    for a, b in zip(whole.state().tensors.items(), second.state().tensors.items(), strict=True):
        assert a[0] == b[0]
        assert torch.equal(a[1], b[1]), a[0]
    assert without_own_reading(whole.state().scalars) == without_own_reading(second.state().scalars)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"spec": DataSpec((2,), (0.0, 1.0))},
            r"gives values from -\S+ to \S+, outside its value_range \[0, 1\]",
        ),
        ({"spec": DataSpec((3,))}, r"gives \(2,\), it says \(3,\)"),
        ({"data": torch.full((20, 2), float("inf"))}, "values that are not finite"),
        ({"data": torch.ones(20, 2, dtype=torch.int64)}, "gives torch.int64"),
        ({"data": torch.ones(20, 2, dtype=torch.uint8)}, "uint8 data but no value_range"),
    ],
)
def test_data_that_are_not_what_the_data_set_says_are_refused(changes, says):
    data = Points()
    for name, value in changes.items():
        setattr(data, name, value)
    with pytest.raises(UnfitError, match=says):
        Trainer(Recorder({"name": "d", "trains": ("critic",)}), data, steps=1, batch_size=5).fit()


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0), (-2.0, 6.0)])
def test_uint8_data_fill_the_value_range(low, high):
    data = Points()
    data.spec = dataclasses.replace(data.spec, value_range=(low, high))
    x = data.scale(torch.tensor([0, 255, 51], dtype=torch.uint8))
    torch.testing.assert_close(x, torch.tensor([low, high, low + (high - low) / 5]))


class NaN(Recorder):
    """Its loss becomes NaN in the third iteration."""

    def _recorded(self, name):
        def loss(iteration):
            total = self.generator.weight.sum() * (float("nan") if self.step == 2 else 1.0)
            return PhaseLoss(total, {"loss": total})

        return loss


def test_a_loss_that_is_not_finite_names_phase_term_and_steps():
    events = []

    class Watch(Callback):
        name = "watch"

        def fit_end(self, fit):
            events.append(fit.failed)

    method = NaN({"name": "generator", "trains": ("generator",)})
    trainer = Trainer(method, Points(), [Watch()], steps=6, batch_size=5)
    with pytest.raises(NonFiniteLossError, match=r"Phase 'generator': its loss became nan in step 3"):
        trainer.fit()
    assert events == [True]


def test_losses_are_means_since_the_last_reading():
    readings = []

    class Spy(Callback):
        name = "spy"

        def step_end(self, fit):
            if fit.step % 2 == 0:
                readings.append(fit.losses())
                assert fit.losses() == readings[-1]

    class Count(Recorder):
        def _recorded(self, name):
            def loss(iteration):
                total = 0 * self.generator.weight.sum() + self.step
                return PhaseLoss(total, {"loss": total})

            return loss

    method = Count({"name": "g", "trains": ("generator",)})
    Trainer(method, Points(), [Spy()], steps=4, batch_size=5).fit()
    assert readings == [{"g/loss": 0.5, "g/total": 0.5}, {"g/loss": 2.5, "g/total": 2.5}]


def test_options_for_a_role_that_is_not_trained_are_refused():
    with pytest.raises(UnfitError, match=r"trainer\.roles\.critics: .* trains critic"):
        Trainer(Recorder({"name": "d", "trains": ("critic",)}), Points(), roles={"critics": {"lr": 1.0}})


def test_a_method_is_handed_its_optimizers_once():
    class Bound(Recorder):
        bound = ()

        def bind(self, optimizers):
            self.bound += (dict(optimizers),)

    method = Bound(*BOTH)
    Trainer(method, Points(), steps=1)
    (optimizers,) = method.bound
    assert set(optimizers) == {"critic", "generator"}
    assert all(isinstance(o, torch.optim.Adam) for o in optimizers.values())


def test_lazy_penalties_come_every_nth_step_and_weigh_n_times_as_much():
    def critic(x):
        return 0.5 * x.square().sum(1)

    x = torch.tensor([[3.0, 4.0]])

    def loss(game, penalised):
        return objectives.critic_loss(game, critic, x, x, penalised=penalised)

    plain, often, seldom = GAN(), GAN(r1=2.0), GAN(r1=2.0, penalty_every=4)
    bare = loss(plain, False).total
    torch.testing.assert_close(loss(often, True).total - bare, torch.tensor(25.0))
    torch.testing.assert_close(loss(seldom, True).total - bare, torch.tensor(100.0))
    torch.testing.assert_close(loss(seldom, True).terms["penalty"], torch.tensor(25.0))
    torch.testing.assert_close(loss(seldom, False).total, bare)
    assert "penalty" not in loss(seldom, False).terms


def test_lazy_penalties_are_logged_as_means_of_those_that_were_taken():
    """Of four iterations the first and the third take it; the mean is over these two."""

    class Told(GAN):
        taken = 0

        def penalty(self, critic, real, fake):
            self.taken += 1
            return 0 * critic(real) + float(self.taken)

    method = dali(Told(r1=1.0, penalty_every=2))
    trainer = Trainer(method, Points(), steps=4, batch_size=5)
    trainer.fit()
    assert method.game.taken == 2
    assert trainer.losses("anybody")["discriminator/penalty"] == 1.5
