"""What is logged: each reader's averages are its own, and a resume goes on with sums not yet logged."""

import json
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from players import Points, Recorder, dali

from dalikit.components.optimizers.adam import Adam
from dalikit.components.optimizers.adamw import AdamW
from dalikit.components.optimizers.rmsprop import RMSprop
from dalikit.components.optimizers.sgd import SGD
from dalikit.errors import NonFiniteLossError
from dalikit.interfaces import Callback, PhaseLoss, TrainingState
from dalikit.training import Trainer


class Count(Recorder):
    """Its loss is the step's number, from 0."""

    def __init__(self):
        super().__init__({"name": "g", "trains": ("generator",)})

    def _recorded(self, name):
        def loss(iteration):
            total = 0 * self.generator.weight.sum() + self.step
            return PhaseLoss(total, {"loss": 3 * total})

        return loss


class Reader(Callback):
    """Reads at some of the steps, and keeps what it found."""

    def __init__(self, name, steps):
        self.name, self.steps, self.found = name, steps, []

    def step_end(self, fit):
        if fit.step in self.steps:
            self.found.append(fit.losses(self.name))


steps_of_readers = st.lists(st.sets(st.integers(1, 12)), min_size=1, max_size=4)


@settings(deadline=None)
@given(steps_of_readers)
def test_each_reader_has_the_mean_since_it_last_read_whatever_others_read(readers):
    watchers = [Reader(str(i), steps) for i, steps in enumerate(readers)]
    Trainer(Count(), Points(), watchers, steps=12, batch_size=5).fit()
    for watcher in watchers:
        borders = [0, *sorted(watcher.steps)]
        means = [(a + b - 1) / 2 for a, b in pairwise(borders)]  # of a, …, b - 1
        assert [found["g/total"] for found in watcher.found] == pytest.approx(means)
        assert [found["g/loss"] for found in watcher.found] == pytest.approx([3 * mean for mean in means])


def test_one_that_reads_again_where_nothing_is_new_is_told_the_same():
    trainer = Trainer(Count(), Points(), steps=4, batch_size=5)
    assert trainer.losses("early") == {}
    trainer.fit()
    first = trainer.losses("late")
    assert first == {"g/loss": 4.5, "g/total": 1.5}
    assert trainer.losses("late") == first
    assert trainer.losses("early") == first


def test_terms_keep_no_graph():
    trainer = Trainer(Count(), Points(), steps=2, batch_size=5)
    trainer.fit()
    sums, _ = trainer.terms.state()
    assert not any(tensor.requires_grad for tensor in sums.values())


class Log(Callback):
    """Logs every fifth step and the last, as the built-in one does; the log is what `logged` was told."""

    name = "watch"

    def __init__(self, stop=None):
        self.stop, self.lines, self.calls = stop, [], 0

    def step_end(self, fit):
        self.calls += 1
        if fit.step % 5 == 0 or fit.step == fit.steps:
            fit.log({"event": "losses", "step": fit.step, **fit.losses(self.name)})
        if fit.step == self.stop:
            fit.stop()

    def logged(self, fit, record):
        self.lines.append(dict(record))

    def state(self):
        return {"calls": self.calls}

    def load_state(self, state):
        self.calls = state["calls"]


OPTIMIZERS = {
    "adam": lambda: Adam(),
    "adamw": lambda: AdamW(weight_decay=0.1),
    "sgd": lambda: SGD(momentum=0.9, nesterov=True),
    "sgd without momentum": lambda: SGD(),
    "rmsprop": lambda: RMSprop(momentum=0.5),
}


def saved(state: TrainingState) -> TrainingState:
    """A state as it is read from disk."""
    return TrainingState(dict(state.tensors), json.loads(json.dumps(state.scalars)))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_stopped_between_two_lines_and_resumed_logs_and_ends_as_one_that_never_stopped(optimizer):
    def trainer(log, seed):
        options = {"steps": 13, "batch_size": 6, "lr": 1e-2, "schedule": "cosine"}
        return Trainer(dali(seed=seed), Points(), [log], seed, lambda _: OPTIMIZERS[optimizer](), **options)

    whole, first, second = Log(), Log(stop=7), Log()
    uninterrupted, stopped, resumed = trainer(whole, 1), trainer(first, 1), trainer(second, 9)
    uninterrupted.fit()
    stopped.fit()
    assert stopped.step == 7
    resumed.load_state(saved(stopped.state()))
    resumed.fit()
    assert [line["step"] for line in whole.lines] == [5, 10, 13]
    assert first.lines + second.lines == whole.lines
    assert second.calls == whole.calls == 13
    ends, expected = resumed.state().tensors, uninterrupted.state().tensors
    assert ends.keys() == expected.keys()
    for name, tensor in ends.items():
        assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_an_optimizer_keeps_is_in_the_state(optimizer):
    """Only plain gradient descent keeps nothing."""
    kept = Trainer(dali(), Points(), (), 1, lambda _: OPTIMIZERS[optimizer](), steps=3, batch_size=6)
    kept.fit()
    tensors = [name for name in kept.state().tensors if name.startswith("optimizer/")]
    assert bool(tensors) == (optimizer != "sgd without momentum")


class Failing(Count):
    """A term that is no part of the loss is infinite in the third iteration."""

    def _recorded(self, name):
        def loss(iteration):
            term = torch.tensor(float("inf") if self.step == 2 else 0.0)
            return PhaseLoss(self.generator.weight.sum(), {"aside": term})

        return loss


def test_a_value_that_is_not_finite_is_every_readers_affair():
    trainer = Trainer(Failing(), Points(), [Reader("two", {2})], steps=6, batch_size=5)
    with pytest.raises(NonFiniteLossError):
        trainer.fit()
    with pytest.raises(NonFiniteLossError, match="its aside became inf in steps 3 to 6"):
        trainer.losses("two")
