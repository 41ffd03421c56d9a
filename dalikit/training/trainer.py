"""The trainer: phases to optimizer steps, and nothing else. It knows no method, game or data set by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from dalikit.errors import UnfitError
from dalikit.interfaces import (
    Batch,
    Callback,
    Dataset,
    Iteration,
    Method,
    Optimizer,
    Phase,
    TrainingState,
    describe,
)
from dalikit.randomness import RandomState, derived_seed
from dalikit.training.averaging import Average
from dalikit.training.checks import (
    check_batch,
    check_callbacks,
    check_loss,
    check_needs,
    check_optimizers,
    check_phases,
    check_reached,
    count_classes,
    state_of,
)
from dalikit.training.optimization import Optimization, RoleOptimizer, TrainerSettings, make_adam
from dalikit.training.stream import BatchStream
from dalikit.training.terms import RunningTerms


class Trainer:
    """Trains a method on a data set.

    Each iteration draws real data and z once, and runs the method's phases in order: the phase's loss,
    `backward` into the parameters of the roles it trains and no others, one optimizer step for each role.

    Args:
        method: what to train, on the device to train on.
        dataset: where real data come from; its training part is read here.
        callbacks: watchers, in order; those that save come last.
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
        self.callbacks = callbacks
        self.settings = TrainerSettings(**settings)
        self.steps = self.settings.steps
        self.step = 0
        self.images = 0
        self.failed = False
        self.phases: Sequence[Phase] = method.phases()
        check_phases(method, self.phases)
        check_needs(method)
        check_callbacks(callbacks)
        self.optimizers = self._optimizers(make_optimizer)
        check_optimizers(method, self.optimizers)
        split = dataset.split("train")
        if method.conditional:
            method.class_shares.copy_(count_classes(split, dataset))
        self.average = Average(method, self.settings.ema)
        self.random = RandomState.seeded(derived_seed(seed, "training"))
        self.stream = BatchStream(split, self.settings.batch_size, derived_seed(seed, "order"))
        reference = next(method.parameters())
        self._device = reference.device
        self._progress = torch.zeros((), device=reference.device, dtype=reference.dtype)
        self._terms = RunningTerms()
        self._checked = False
        self._stopping = False
        self._fitting = False
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

    def fit(self, conclude: Callable[[], None] = lambda: None) -> None:
        """Train to the last step, or until `stop`. The caller's random state is left alone.

        `conclude` is called after the last step, before callbacks are told of the end: final scores are
        logged there.

        Raises:
            NonFiniteLossError: a loss became NaN or infinite.
        """
        self._set_modes()
        self._fitting = True
        try:
            with self.random.swapped_in():
                self._loop(conclude)
        finally:
            self._fitting = False

    def losses(self, reader: str = "") -> dict[str, float]:
        """Each phase's terms as `phase/term`, averaged since this reader's last call that found new ones.

        Raises:
            NonFiniteLossError: one of them is NaN or infinite.
        """
        return self._terms.read(reader, self.step)

    def log(self, record: Mapping[str, Any]) -> None:
        """Hand a record to every callback."""
        for callback in self.callbacks:
            callback.logged(self, record)

    def state(self) -> TrainingState:
        """All that a resume must restore, as copies on the CPU."""
        # Inside `fit` the generators themselves are ahead of what was swapped in.
        random = RandomState.captured() if self._fitting else self.random
        order, position = self.stream.state()
        sums, readers = self._terms.state()
        tensors = {
            **_prefix("method", self.method.state_dict()),
            **_prefix("average", self.average.method.state_dict()),
            **_prefix("random", random.tensors),
            **_prefix("stream", order),
            **_prefix("terms", sums),
        }
        for role, optimizer in self.optimizers.items():
            tensors |= _prefix(f"optimizer/{role}", optimizer.state())
        scalars = {"step": self.step, "images": self.images, "python": random.python, "stream": position}
        scalars |= {"terms": readers, "callbacks": {c.name: state_of(c) for c in self.callbacks}}
        return TrainingState({name: t.detach().cpu().clone() for name, t in tensors.items()}, scalars)

    def load_state(self, state: TrainingState) -> None:
        """Go on from what `state` gave."""
        tensors, scalars = state.tensors, state.scalars
        self.method.load_state_dict(_under("method", tensors))
        self.average.method.load_state_dict(_under("average", tensors))
        self.random = RandomState(_under("random", tensors), scalars["python"])
        self.stream.load(_under("stream", tensors), scalars["stream"])
        sums = {name: tensor.to(self._device) for name, tensor in _under("terms", tensors).items()}
        self._terms.load(sums, scalars["terms"])
        for role, optimizer in self.optimizers.items():
            optimizer.load(_under(f"optimizer/{role}", tensors))
        for callback in self.callbacks:
            callback.load_state(scalars["callbacks"].get(callback.name, {}))
        with self.random.swapped_in():  # a state that cannot be restored fails here, and not in `fit`
            pass
        self.step, self.images = int(scalars["step"]), int(scalars["images"])

    def _loop(self, conclude: Callable[[], None]) -> None:
        try:
            self._announce("fit_start")
            while self.running:
                self._iterate()
                self.step += 1
                self.average.update(self.step)
                self._announce("step_end")
            self.losses("trainer")
            if self.step >= self.steps:
                conclude()
        except BaseException:
            self.failed = True
            raise
        finally:
            self._announce("fit_end")

    def _iterate(self) -> None:
        self._advance()
        iteration = self._draw()
        for position, phase in enumerate(self.phases):
            for repeat in range(phase.repeats):
                if repeat:
                    iteration = self._draw()
                last = repeat == phase.repeats - 1
                iteration.enter(shared=last and position < len(self.phases) - 1)
                self._run(phase, iteration)
                iteration.leave(phase.trains)
        self._checked = True

    def _advance(self) -> None:
        """Say how far training is, and set the rates: a method may read another role's."""
        self.method.advance(self._progress.fill_(self.step / self.steps))
        for optimizer in self.optimizers.values():
            optimizer.set_rate(optimizer.settings.rate(self.step, self.steps, self.stream.epoch))

    def _draw(self) -> Iteration:
        raw, labels = self.stream.next()
        self.images += len(raw)
        x = self.dataset.scale(raw.to(self._device, non_blocking=True))
        y = None if labels is None else labels.to(self._device, non_blocking=True)
        if not self._checked:
            check_batch(Batch(x, y), self.dataset, self.method)
        z = self.method.prior(len(raw))
        return Iteration(self.method.generate, Batch(x.to(z.dtype), y), z)

    def _run(self, phase: Phase, iteration: Iteration) -> None:
        loss = phase.due(self.step)(iteration)
        optimizers = [self.optimizers[role] for role in phase.trains if role in self.optimizers]
        parameters = [p for optimizer in optimizers for p in optimizer.parameters]
        if not self._checked:
            check_loss(self.method, phase, loss, parameters)
        for parameter in parameters:
            parameter.grad = None
        loss.total.backward(inputs=parameters)
        if not self._checked:
            check_reached(self.method, phase, self.optimizers)
        for optimizer in optimizers:
            optimizer.step()
        if phase.after:
            phase.after()
        self._terms.add(phase, loss)

    def _optimizers(self, make: Callable[[Optimization], Optimizer]) -> dict[str, RoleOptimizer]:
        """One for each role that a phase trains and that has parameters (few posteriors have any)."""
        trained = list(dict.fromkeys(role for phase in self.phases for role in phase.trains))
        if unknown := [role for role in self.settings.roles if role not in trained]:
            raise UnfitError(
                f"trainer.roles.{unknown[0]}: {describe(self.method)} trains {', '.join(trained)}"
            )
        settings = {role: self.settings.of(role) for role in trained}
        return {
            role: RoleOptimizer(self.method.player(role), own, make(own))
            for role, own in settings.items()
            if list(self.method.player(role).parameters())
        }

    def _set_modes(self) -> None:
        """Roles that no phase trains stay in eval mode: their buffers must not move."""
        self.method.eval()
        for role in {role for phase in self.phases for role in phase.trains}:
            self.method.player(role).train()

    def _announce(self, event: str) -> None:
        for callback in sorted(self.callbacks, key=lambda callback: callback.saves):
            getattr(callback, event)(self)


def _prefix(prefix: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def _under(prefix: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
