"""The trainer: phases to optimizer steps, and nothing else. It knows no method, game or data set by name."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from dalikit.errors import Stopped
from dalikit.interfaces import Batch, Callback, Dataset, Iteration, Method, Optimizer, Phase, TrainingState
from dalikit.interfaces.blaming import Suspects, naming
from dalikit.interfaces.watching import not_finite
from dalikit.randomness import RandomState, derived_seed
from dalikit.training import retrace
from dalikit.training.averaging import Average
from dalikit.training.checks import (
    check_batch,
    check_loss,
    check_needs,
    check_optimizers,
    check_phases,
    check_reached,
    count_classes,
)
from dalikit.training.guard import Guard
from dalikit.training.optimization import Optimization, TrainerSettings, make_adam, optimizers_of
from dalikit.training.restoring import capture, restore
from dalikit.training.stream import BatchStream
from dalikit.training.terms import RunningTerms
from dalikit.training.watchers import Watchers


class Trainer:
    """Trains a method on a data set.

    Each iteration draws real data and z once, and runs the method's phases in order: the phase's loss,
    `backward` into the parameters of the roles it trains and no others, one optimizer step for each role.

    Args:
        method: what to train, on the device to train on.
        dataset: where real data come from; its training part is read here.
        callbacks: watchers, in order; those that save are told first.
        seed: of the data's order and of everything random in training.
        make_optimizer: what steps a role, from how it is optimized; Adam unless told.
        settings: see `TrainerSettings`.

    Raises:
        UnfitError: the method breaks its contract, or a setting is of a role that no phase trains.
        ValidationError: a setting is unknown or of the wrong type (pydantic's).
    """

    def __init__(
        self,
        method: Method,
        dataset: Dataset,
        callbacks: Sequence[Callback] = (),
        seed: int = 0,
        make_optimizer: Callable[[Optimization], Optimizer] = make_adam,
        **settings: Any,
    ) -> None:
        self.method = method
        self.dataset = dataset
        self.settings = TrainerSettings(**settings)
        self.steps = self.settings.steps
        self.step = 0
        self.images = 0
        self.failed = False
        self.concluded = False
        self.phases: Sequence[Phase] = method.phases()
        check_phases(method, self.phases)
        check_needs(method)
        self.watchers = Watchers(callbacks)
        self.optimizers = optimizers_of(method, self.phases, self.settings, make_optimizer)
        check_optimizers(method, self.optimizers)
        optimizers = [each.optimizer for each in self.optimizers.values()]
        self.suspects = Suspects(method, *vars(method).values(), *optimizers, dataset)
        split = dataset.split("train")
        if method.conditional:
            method.class_shares.copy_(count_classes(split, dataset))
        self.average = Average(method, self.settings.ema)
        self.rollbacks = 0
        self._seed = seed
        self.random = RandomState.seeded(derived_seed(seed, "training"))
        self.stream = BatchStream(split, self.settings.batch_size, derived_seed(seed, "order"))
        reference = next(method.parameters())
        self.device = reference.device
        self._progress = torch.zeros((), device=reference.device, dtype=reference.dtype)
        self.terms = RunningTerms()
        self.guard = Guard(self.device)
        self._checked = False
        self.infinite: Sequence[str] = not_finite(method.state_dict())
        self._stopping = False
        self.interrupted = False
        self.fitting = False
        method.bind({role: optimizer.torch for role, optimizer in self.optimizers.items()})

    @property
    def inference(self) -> Method:
        """The method with averaged weights, in eval mode."""
        return self.average.method

    @property
    def running(self) -> bool:
        """Whether another iteration will follow."""
        return self.step < self.steps and not self._stopping

    @property
    def epochs(self) -> float:
        """How often each datum will have been read in all."""
        return self.steps / self.stream.epoch

    def stop(self) -> None:
        """Ask training to end after the iteration it is in."""
        self._stopping = True

    def interrupt(self) -> None:
        """Ask training to end at once: after the iteration it is in, or in the middle of a long evaluation.

        What was due at its last step, but for a checkpoint, is done when training goes on from there.
        """
        self.interrupted = self._stopping = True

    def check(self) -> None:
        """Raise `Stopped` if training is to end at once."""
        if self.interrupted:
            raise Stopped

    def fit(self, conclude: Callable[[], None] = lambda: None) -> None:
        """Train to the last step, or until `stop`. The caller's random state is left alone.

        `conclude` is called after the last step, before callbacks are told of the end: final scores are
        logged there.

        Raises:
            NonFiniteLossError: a loss or a gradient became NaN or infinite; no update was made of it.
        """
        self._set_modes()
        self.fitting = True
        try:
            with self.random.swapped_in():
                self._loop(conclude)
        finally:
            self.fitting = False

    def losses(self, reader: str = "") -> dict[str, float]:
        """Each phase's terms as `phase/term`, averaged since this reader's last call that found new ones.

        Raises:
            NonFiniteLossError: one of them is NaN or infinite.
        """
        self._check_updates()
        return self.terms.read(reader, self.step)

    def log(self, record: Mapping[str, Any]) -> None:
        """Hand a record to every callback."""
        self.watchers.logged(self, record)

    def state(self) -> TrainingState:
        """All that a resume must restore, as copies on the CPU."""
        return capture(self)

    def load_state(self, state: TrainingState) -> None:
        """Go on from what `state` gave.

        Raises:
            UnfitError: it is another's: a tensor is missing, of another shape or type, or not finite.
        """
        restore(self, state)

    def roll_back(self, state: TrainingState) -> None:
        """Go on from an earlier `state` at half the rates, and with other draws; raises as `load_state`."""
        rollbacks = self.rollbacks + 1
        self.load_state(state)
        self.rollbacks = rollbacks
        self.random = RandomState.seeded(derived_seed(self._seed, f"training, rolled back {rollbacks}"))

    def parameters(self, phase: Phase) -> list[nn.Parameter]:
        """What a phase trains."""
        return [
            p for role in phase.trains if role in self.optimizers for p in self.optimizers[role].parameters
        ]

    def _loop(self, conclude: Callable[[], None]) -> None:
        try:
            self.watchers.start(self)
            while self.running:
                self._iterate()
                self.step += 1
                self.average.update(self.step)
                self.watchers.step_done(self)
            self._check_updates()
            self.terms.check(self.step)
            if self.step >= self.steps and not self.interrupted:
                conclude()
                self.concluded = True
        except Stopped:
            pass
        except BaseException:
            self.failed = True
            raise
        finally:
            self.watchers.end(self)

    def _check_updates(self) -> None:
        self.guard.check(self.terms, partial(retrace.told, self))

    def _iterate(self) -> None:
        with naming(self.suspects, self._now):
            self._advance()
            iteration = self.draw()
        for position, phase in enumerate(self.phases):
            for repeat in range(phase.repeats):
                with naming(self.suspects, partial(self._now, phase)):
                    iteration = self.draw() if repeat else iteration
                    last = repeat == phase.repeats - 1
                    iteration.enter(shared=last and position < len(self.phases) - 1)
                    self._run(phase, iteration)
                    iteration.leave(phase.trains)
        self._checked = True

    def _now(self, phase: Phase | None = None) -> str:
        """Where training is, for the text of an error."""
        where = "" if phase is None else f"phase '{phase.name}' of "
        return f"in {where}step {self.step + 1}"

    def _advance(self) -> None:
        """Say how far training is, and set the rates: a method may read another role's."""
        self.method.advance(self._progress.fill_(self.step / self.steps))
        for optimizer in self.optimizers.values():
            rate = optimizer.settings.rate(self.step, self.steps, self.stream.epoch)
            optimizer.set_rate(rate / 2**self.rollbacks)

    def draw(self) -> Iteration:
        """The next iteration's data and codes."""
        raw, labels = self.stream.next()
        self.images += len(raw)
        x = self.dataset.scale(raw.to(self.device, non_blocking=True))
        y = None if labels is None else labels.to(self.device, non_blocking=True)
        if not self._checked:
            check_batch(Batch(x, y), self.dataset, self.method)
        z = self.method.prior(len(raw))
        return Iteration(self.method.generate, Batch(x.to(z.dtype), y), z)

    def _run(self, phase: Phase, iteration: Iteration) -> None:
        drawn = torch.get_rng_state()  # which a phase is run once more from where it went wrong
        loss = phase.due(self.step)(iteration)
        parameters = self.parameters(phase)
        if not self._checked:
            check_loss(self.method, phase, loss, parameters)
        for parameter in parameters:
            parameter.grad = None
        loss.total.backward(inputs=parameters)
        if not self._checked:
            check_reached(self.method, phase, self.optimizers)
        began = partial(retrace.told, self, phase, iteration, drawn)
        skip = self.guard.look(phase, self.step + 1, loss, parameters, began)
        for role in phase.trains:
            if role in self.optimizers:
                self.optimizers[role].step(skip)
        if phase.after:
            phase.after()
        self.terms.add(phase, loss)

    def _set_modes(self) -> None:
        """Roles that no phase trains stay in eval mode: their buffers must not move."""
        self.method.eval()
        for role in {role for phase in self.phases for role in phase.trains}:
            self.method.player(role).train()
