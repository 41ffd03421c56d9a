"""What is not finite never reaches the weights, and is named by phase, term and step."""

import pytest
import torch
from players import Points, Recorder
from torch import nn

from dalikit.components.optimizers.adam import Adam
from dalikit.components.optimizers.rmsprop import RMSprop
from dalikit.components.optimizers.sgd import SGD
from dalikit.errors import NonFiniteLossError, RunError
from dalikit.interfaces import Callback, Phase, PhaseLoss
from dalikit.training import Optimization, Trainer
from dalikit.training.guard import Guard
from dalikit.training.optimization import RoleOptimizer

NAN, INF = float("nan"), float("inf")


class Meddler(Callback):
    """A plugin's callback that spoils a weight after the first step."""

    name, origin = "meddler", "meddlers 1.0"

    def step_end(self, fit):
        if fit.step == 1:
            with torch.no_grad():
                fit.method.player("generator").weight.fill_(NAN)


def test_weights_that_a_callback_may_have_spoiled_are_not_laid_to_the_optimizer_alone():
    method = Recorder({"name": "generator", "trains": ("generator",)})
    trainer = Trainer(method, Points(), [Meddler()], steps=4)
    said = r"or callback 'meddler' of meddlers 1\.0 had left weights of 'generator' that are not finite"
    with pytest.raises(NonFiniteLossError, match=said):
        trainer.fit()


class Failing(Recorder):
    """In its third iteration a loss, or a gradient alone, is not finite."""

    def __init__(self, how):
        super().__init__({"name": "generator", "trains": ("generator",)})
        self.how = how

    def _recorded(self, name):
        def loss(iteration):
            total = self.generator.weight.square().sum()
            if self.step == 2:
                weight = self.generator.weight
                bad = {
                    "loss": lambda: total * NAN,
                    "infinite": lambda: total + INF,
                    "gradient": lambda: total + (weight - weight.detach()).abs().pow(0.5).sum(),
                }
                total = bad[self.how]()
            return PhaseLoss(total, {"loss": total})

        return loss


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("loss", "its loss became nan in step 3"),
        ("infinite", "its loss became inf in step 3"),
        ("gradient", "a gradient is not finite in step 3"),
    ],
)
@pytest.mark.parametrize("waits", [True, False])
def test_the_update_in_question_is_not_made_and_none_after_it(how, says, waits):
    """A device that is not waited for goes on with empty steps until somebody reads the flag."""
    method = Failing(how)
    trainer = Trainer(method, Points(), steps=6, batch_size=5)
    trainer.guard = Guard(trainer.device, waits)
    good = Trainer(Failing(how), Points(), steps=2, batch_size=5)
    good.method.load_state_dict(method.state_dict())
    good.fit()
    with pytest.raises(NonFiniteLossError, match=rf"Phase 'generator': {says}"):
        trainer.fit()
    assert trainer.failed
    assert torch.equal(method.generator.weight, good.method.generator.weight)
    moments = [each.optimizers["generator"].state() for each in (trainer, good)]
    assert moments[0].keys() == moments[1].keys()
    assert all(torch.equal(moments[0][name], moments[1][name]) for name in moments[0])


@pytest.mark.parametrize("optimizer", [Adam(), RMSprop(), SGD(momentum=0.9)])
@pytest.mark.parametrize("skip", [None, 0.0, 1.0])
def test_an_optimizer_that_is_told_to_skip_moves_nothing(optimizer, skip):
    parameter = nn.Parameter(torch.ones(3))
    stepper = RoleOptimizer(nn.ParameterList([parameter]), Optimization(lr=0.1), optimizer)
    for told in (None, None if skip is None else torch.tensor(skip)):
        parameter.grad = parameter.detach().clone()
        before, moments = parameter.detach().clone(), {n: t.clone() for n, t in stepper.state().items()}
        stepper.step(told)
    moved = not torch.equal(parameter, before)
    assert moved == (skip != 1.0)
    if not moved:
        assert all(torch.equal(stepper.state()[name], moments[name]) for name in moments)


def test_gradients_of_several_types_are_looked_at():
    found = [nn.Parameter(torch.ones(2, dtype=dtype)) for dtype in (torch.float32, torch.float64)]
    for parameter in found:
        parameter.grad = torch.ones_like(parameter)
    phase, loss = Phase("both", ("a", "b"), lambda _: None), PhaseLoss(torch.ones(()), {})
    guard = Guard(torch.device("cpu"))
    assert guard.look(phase, 1, loss, found) is None
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in found), "and left as they are"
    found[1].grad[0] = INF
    with pytest.raises(NonFiniteLossError, match="Phase 'both': a gradient is not finite in step 2"):
        guard.look(phase, 2, loss, found)


def test_a_constant_that_is_infinite_by_design_does_not_end_a_training():
    """Nor keeps it from going on: what was so when it began, is meant so."""

    class Masked(Recorder):
        def __init__(self):
            super().__init__({"name": "generator", "trains": ("generator",)})
            self.generator.register_buffer("mask", torch.tensor([0.0, -INF]))

    first = Trainer(Masked(), Points(), steps=2, batch_size=5)
    first.fit()
    assert first.infinite == ["generator.mask"]
    state = first.state()
    assert state.nonfinite is None
    again = Trainer(Masked(), Points(), steps=4, batch_size=5)
    again.load_state(state)
    again.fit()
    name = next(name for name in state.tensors if name.endswith("generator.weight"))
    state.tensors[name].fill_(NAN)
    assert state.nonfinite == name


def test_everyone_is_told_of_the_end_where_a_checkpoint_fails():
    told = []

    class Saves(Callback):
        name, saves = "saves", True

        def fit_end(self, fit):
            raise OSError("no disk")

    class Bar(Callback):
        name = "bar"

        def fit_end(self, fit):
            told.append(fit.step)

    trainer = Trainer(Failing("never"), Points(), [Bar(), Saves()], steps=2, batch_size=5)
    with pytest.raises(RunError, match="callback 'saves' failed in fit_end of step 2: OSError: no disk"):
        trainer.fit()
    assert told == [2]
