"""A state that is not one of this training is refused whole, before any of it is used."""

import copy

import pytest
import torch
from players import Points, dali

from dalikit.components.optimizers.adam import Adam
from dalikit.components.optimizers.adamw import AdamW
from dalikit.components.optimizers.rmsprop import RMSprop
from dalikit.components.optimizers.sgd import SGD
from dalikit.errors import NonFiniteLossError, UnfitError
from dalikit.interfaces import TrainingState
from dalikit.training import Trainer

OPTIMIZERS = {
    "adam": lambda: Adam(),
    "adamw": lambda: AdamW(),
    "sgd": lambda: SGD(momentum=0.9),
    "plain sgd": lambda: SGD(),
    "rmsprop": lambda: RMSprop(momentum=0.5),
}


def trainer(optimizer="adam", steps=4):
    return Trainer(dali(), Points(), (), 3, lambda _: OPTIMIZERS[optimizer](), steps=steps, batch_size=5)


def trained(optimizer="adam", steps=2):
    first = trainer(optimizer, steps)
    first.fit()
    return first.state()


def same(a: TrainingState, b: TrainingState) -> bool:
    tensors = a.tensors.keys() == b.tensors.keys() and all(
        torch.equal(a.tensors[name], b.tensors[name]) for name in a.tensors
    )
    return tensors and a.scalars == b.scalars


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_training_gave_is_taken(optimizer):
    for steps in (1, 2):
        state, again = trained(optimizer, steps), trainer(optimizer)
        again.load_state(state)
        assert same(again.state(), state)
    fresh = trainer(optimizer)
    fresh.load_state(trainer(optimizer).state())
    assert fresh.step == 0


def test_a_state_stays_what_it_was_while_training_goes_on():
    first = trainer()
    begun = first.state()
    before = copy.deepcopy(begun)
    first.fit()
    assert same(begun, before)
    first.load_state(begun)
    assert same(first.state(), before)


def longer(t):
    return torch.cat([t.flatten(), t.flatten()[:1]])


CHANGES = {
    "missing": lambda t: None,
    "longer": longer,
    "empty": lambda t: t.flatten()[:0],
    "another type": lambda t: t.to(torch.float16 if t.is_floating_point() else torch.float64),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_every_tensor_must_be_there_in_its_shape_and_type(optimizer, change):
    """Each of them by itself; and nothing of a refused state is taken over."""
    state = trained(optimizer)
    names = [name for name in state.tensors if not name.startswith("terms/")]
    assert {name.split("/")[0] for name in names} == {"method", "average", "random", "stream", "optimizer"}
    for name in names:
        changed = CHANGES[change](state.tensors[name])
        if name == "stream/order" and change == "longer":
            continue  # which names a datum twice, see below
        tensors = {n: t for n, t in state.tensors.items() if n != name}
        tensors |= {} if changed is None else {name: changed}
        other = trainer(optimizer)
        before = other.state()
        with pytest.raises((UnfitError, KeyError), match=name):
            other.load_state(TrainingState(tensors, copy.deepcopy(state.scalars)))
        assert same(other.state(), before), name


def test_every_number_must_be_finite():
    state = trained()
    floats = [name for name, tensor in state.tensors.items() if tensor.is_floating_point() and tensor.numel()]
    assert len(floats) > 20
    for name in floats:
        for value in (float("nan"), float("inf")):
            tensor = state.tensors[name].clone()
            tensor.view(-1)[-1] = value
            with pytest.raises(UnfitError, match="finite"):
                trainer().load_state(TrainingState({**state.tensors, name: tensor}, state.scalars))


def test_what_belongs_to_nothing_is_refused():
    state = trained()
    for name in ("method/more", "optimizer/generator/9.exp_avg", "average/more", "stream/more"):
        with pytest.raises(UnfitError, match=f"{name} belongs to nothing"):
            trainer().load_state(TrainingState({**state.tensors, name: torch.zeros(1)}, state.scalars))


@pytest.mark.parametrize(
    "order",
    [
        torch.arange(3),  # which ends before where training stood in it
        torch.arange(len(Points().data)) - 1,
        torch.arange(len(Points().data)) + 1,  # beyond the last
        torch.zeros(len(Points().data), dtype=torch.int64),  # the first alone
    ],
)
def test_an_order_of_other_data_is_refused(order):
    state = trained()
    with pytest.raises(UnfitError, match=r"the order of data, (is of others|names some twice)"):
        trainer().load_state(TrainingState({**state.tensors, "stream/order": order}, state.scalars))


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_parameter_that_no_loss_reaches_has_no_moments_and_needs_none(optimizer):
    def unused(made):
        made.method.generator.unused = torch.nn.Parameter(torch.ones(2))
        return Trainer(made.method, Points(), (), 3, lambda _: OPTIMIZERS[optimizer](), steps=4, batch_size=5)

    first, again = unused(trainer()), unused(trainer())
    first.fit()
    state = first.state()
    again.load_state(state)
    assert same(again.state(), state)
    missing = state.scalars["moments"][0]
    with pytest.raises(UnfitError, match=f"{missing} is missing"):
        unused(trainer()).load_state(
            TrainingState({n: t for n, t in state.tensors.items() if n != missing}, state.scalars)
        )


def test_after_a_loss_that_was_not_finite_a_good_state_is_gone_on_with():
    """By whoever catches it: nothing of what went wrong is left."""
    made = trainer()
    good = made.state()
    made.guard._found.fill_(1.0)
    with pytest.raises(NonFiniteLossError):
        made.fit()
    assert made.failed
    made.load_state(good)
    assert not made.failed
    made.fit()
    assert made.step == 4
