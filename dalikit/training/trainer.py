"""The trainer: phases to optimizer steps, and nothing else. It knows no method, game or data set by name."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from dalikit.errors import UnfitError
from dalikit.interfaces import Callback, Dataset, Generator, Iteration, Method, Phase, TrainingState
from dalikit.randomness import RandomState, derived_seed
from dalikit.training.averaging import Average
from dalikit.training.optimization import Beta, Optimization, Rate, RoleOptimizer, RoleOptions, Schedule
from dalikit.training.stream import Stream
from dalikit.training.terms import RunningTerms

Count = Annotated[int, Field(ge=1)]


class Trainer:
    """Trains a method on a data set.

    Each iteration draws real data and z once, and runs the method's phases in order: the phase's loss,
    `backward` into the parameters of the roles it trains and no others, one optimizer step for each role.

    Args:
        method: what to train, on the device to train on.
        dataset: where real data come from; its training part is read here.
        callbacks: watchers, in order.
        seed: of the data's order and of everything random in training.
        steps: iterations in all.
        batch_size: real data, and codes, in one draw.
        lr: see `Optimization`, as for the next five.
        betas: Adam's.
        schedule: of the rate.
        period: steps in one unit of the schedule's time.
        clip_value: bound on each element of the gradient.
        clip_norm: bound on its norm over a role.
        roles: by role, the settings in which it differs.
        ema: the decay of the averaged weights.

    Raises:
        UnfitError: `roles` names a role that no phase trains.
    """

    def __init__(
        self,
        method: Method,
        dataset: Dataset,
        callbacks: Sequence[Callback] = (),
        seed: int = 0,
        /,
        *,
        steps: Count = 10_000,
        batch_size: Count = 64,
        lr: Rate = 2e-4,
        betas: tuple[Beta, Beta] = (0.5, 0.999),
        schedule: Schedule = "constant",
        period: Count | None = None,
        clip_value: Rate | None = None,
        clip_norm: Rate | None = None,
        roles: Mapping[str, RoleOptions] = {},
        ema: Beta = 0.999,
    ) -> None:
        self.method = method
        self.dataset = dataset
        self.callbacks = callbacks
        self.steps = steps
        self.step = 0
        self.images = 0
        self.failed = False
        self.phases: Sequence[Phase] = method.phases()
        base = Optimization(
            lr=lr, betas=betas, schedule=schedule, period=period, clip_value=clip_value, clip_norm=clip_norm
        )
        self.optimizers = self._optimizers(base, roles)
        self.average = Average(method, ema)
        self.random = RandomState.seeded(derived_seed(seed, "training"))
        self.stream = Stream(dataset.split("train"), batch_size, derived_seed(seed, "order"))
        self._device = next(method.parameters()).device
        self._terms = RunningTerms()
        self._checked = False
        self._stopping = False
        self._fitting = False
        method.bind({role: optimizer.adam for role, optimizer in self.optimizers.items()})

    @property
    def inference(self) -> Method:
        """The method with averaged weights, in eval mode."""
        return self.average.method

    @property
    def running(self) -> bool:
        """Whether another iteration will follow."""
        return self.step < self.steps and not self._stopping

    def stop(self) -> None:
        """Ask training to end after the iteration it is in."""
        self._stopping = True

    def fit(self) -> None:
        """Train to the last step, or until `stop`. The caller's random state is left alone.

        Raises:
            NonFiniteLossError: a loss became NaN or infinite.
        """
        self._set_modes()
        self._fitting = True
        try:
            with self.random.swapped_in():
                self._loop()
        finally:
            self._fitting = False

    def losses(self) -> dict[str, float]:
        """Each phase's terms as `phase/term`, averaged since the last call that found new ones.

        Raises:
            NonFiniteLossError: one of them is NaN or infinite.
        """
        return self._terms.read(self.step)

    def state(self) -> TrainingState:
        """All that a resume must restore, as copies on the CPU."""
        # Inside `fit` the generators themselves are ahead of what was swapped in.
        random = RandomState.captured() if self._fitting else self.random
        order, scalars = self.stream.state()
        tensors = {
            **_prefixed("method", self.method.state_dict()),
            **_prefixed("average", self.average.method.state_dict()),
            **_prefixed("random", random.tensors),
            **_prefixed("stream", order),
        }
        for role, optimizer in self.optimizers.items():
            tensors |= _prefixed(f"optimizer/{role}", optimizer.state())
        tensors = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
        return TrainingState(
            tensors, {"step": self.step, "images": self.images, "python": random.python, "stream": scalars}
        )

    def load_state(self, state: TrainingState) -> None:
        """Go on from what `state` gave."""
        tensors, scalars = state.tensors, state.scalars
        self.method.load_state_dict(_under("method", tensors))
        self.average.method.load_state_dict(_under("average", tensors))
        self.random = RandomState(_under("random", tensors), scalars["python"])
        self.stream.load(_under("stream", tensors), scalars["stream"])
        for role, optimizer in self.optimizers.items():
            optimizer.load(_under(f"optimizer/{role}", tensors))
        with self.random.swapped_in():  # a state that cannot be restored fails here, and not in `fit`
            pass
        self.step, self.images = int(scalars["step"]), int(scalars["images"])
        self._terms.since = self.step

    def _loop(self) -> None:
        try:
            self._announce("fit_start")
            while self.running:
                self._iterate()
                self.step += 1
                self.average.update(self.step)
                self._announce("step_end")
            self.losses()
        except BaseException:
            self.failed = True
            raise
        finally:
            self._announce("fit_end")

    def _iterate(self) -> None:
        due = [phase for phase in self.phases if self.step % phase.every == 0]
        for optimizer in self.optimizers.values():  # before any phase: a method may read another role's rate
            optimizer.set_rate(optimizer.settings.rate(self.step, self.steps, self.stream.epoch))
        iteration = self._draw()
        for position, phase in enumerate(due):
            for repeat in range(phase.repeats):
                if repeat:
                    iteration = self._draw()
                iteration.shared = repeat == phase.repeats - 1 and position < len(due) - 1
                self._run(phase, iteration)

    def _draw(self) -> Iteration:
        raw = self.stream.next()
        self.images += len(raw)
        real = self.dataset.scale(raw.to(self._device, non_blocking=True))
        if not self._checked:
            _check_data(real, self.dataset)
            self._checked = True
        z = self.method.prior(len(raw))
        return Iteration(self.method.generate, real.to(z.dtype), z, self.step, self.step / self.steps)

    def _run(self, phase: Phase, iteration: Iteration) -> None:
        loss = phase.loss(iteration)
        optimizers = [self.optimizers[role] for role in phase.trains if role in self.optimizers]
        parameters = [p for optimizer in optimizers for p in optimizer.parameters]
        for parameter in parameters:
            parameter.grad = None
        loss.total.backward(inputs=parameters)
        for optimizer in optimizers:
            optimizer.step()
        if phase.after:
            phase.after()
        self._terms.add(phase, loss)
        if any(isinstance(self.method.player(role), Generator) for role in phase.trains):
            iteration.forget_fake()

    def _optimizers(self, base: Optimization, roles: Mapping[str, RoleOptions]) -> dict[str, RoleOptimizer]:
        """One for each role that a phase trains and that has parameters (few posteriors have any)."""
        trained = list(dict.fromkeys(role for phase in self.phases for role in phase.trains))
        if unknown := [role for role in roles if role not in trained]:
            raise UnfitError(f"trainer.roles.{unknown[0]}: this method trains {', '.join(trained)}")
        return {
            role: RoleOptimizer(self.method.player(role), dataclasses.replace(base, **roles.get(role, {})))
            for role in trained
            if list(self.method.player(role).parameters())
        }

    def _set_modes(self) -> None:
        """Roles that no phase trains stay in eval mode: their buffers must not move."""
        self.method.eval()
        for role in {role for phase in self.phases for role in phase.trains}:
            self.method.player(role).train()

    def _announce(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)


def _check_data(x: Tensor, dataset: Dataset) -> None:
    """Raise `UnfitError` unless a batch has the data set's shape and lies within its value range."""
    if tuple(x.shape[1:]) != tuple(dataset.x_shape):
        raise UnfitError(f"Data set '{dataset.name}' gives {tuple(x.shape[1:])}, it says {dataset.x_shape}")
    if not x.is_floating_point() or not x.isfinite().all():
        raise UnfitError(f"Data set '{dataset.name}' gives {x.dtype}, or values that are not finite")
    if dataset.value_range is None:
        return
    low, high = dataset.value_range
    if x.min() < low - 1e-3 or x.max() > high + 1e-3:
        raise UnfitError(
            f"Data set '{dataset.name}' gives values from {x.min():.3g} to {x.max():.3g}, outside its "
            f"value_range [{low:g}, {high:g}]: its `scale` does not fit"
        )


def _prefixed(prefix: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def _under(prefix: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
