"""One role's optimizer: its rate's schedule, and gradient clipping, around whatever steps."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from torch import Tensor, nn

from dalikit.components.optimizers.adam import Adam
from dalikit.errors import UnfitError
from dalikit.functional.schedules import Schedule, ScheduleLike
from dalikit.interfaces import Method, Optimizer, Phase, describe
from dalikit.interfaces.kinds import as_slot

Rate = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Optimization(BaseModel):
    """How a role is optimized.

    Attributes:
        lr: the rate at the start.
        schedule: of the rate; `inverse-sqrt` counts from 1 in units of `period` steps.
        period: steps in one unit of that schedule's time, unless it has its own; None stands for an epoch.
        clip_value: the bound on each element of the gradient, or None.
        clip_norm: the bound on the gradient's norm over the role, or None.
        optimizer: the optimizer's name and its own settings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    lr: Rate = 2e-4
    schedule: ScheduleLike = Schedule()
    period: Count | None = None
    clip_value: Rate | None = None
    clip_norm: Rate | None = None
    optimizer: Annotated[dict[str, Any], BeforeValidator(as_slot)] = {}

    def rate(self, step: int, steps: int, epoch: int) -> float:
        """The rate at iteration `step` (from 0) of `steps`, an epoch being `epoch` iterations.

        Examples:
            >>> halves = Optimization(lr=1.0, schedule="inverse-sqrt", period=10)
            >>> [halves.rate(step, 100, 5) for step in (0, 9, 30)]
            [1.0, 1.0, 0.5]
        """
        return self.lr * float(self.schedule.factor(step / steps, (self.period or epoch) / steps))


class TrainerSettings(Optimization):
    """What a trainer takes: how it trains, how roles are optimized, and in which settings some differ.

    Attributes:
        steps: iterations in all.
        batch_size: real data, and codes, in one draw.
        ema: the decay of the averaged weights.
        on_nonfinite: what follows on a loss or gradient that is not finite: the end (`stop`), or another try
            from the last checkpoint, at half the rates and with other draws (`rollback`).
        roles: by role, the settings of `Optimization` in which it differs.
    """

    steps: Count = 10_000
    batch_size: Count = 64
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.999
    on_nonfinite: Literal["stop", "rollback"] = "stop"
    roles: dict[str, dict[str, Any]] = {}

    def of(self, role: str) -> Optimization:
        """How a role is optimized: as all are, but for what is said of it.

        An optimizer of another name has none of the common one's settings.
        """
        own = dict(self.roles.get(role, {}))
        base = self.model_dump(include=set(Optimization.model_fields))
        if "optimizer" in own:
            slot, common = as_slot(own["optimizer"]), base["optimizer"]
            names = [each.get("name", Optimizer.kind.default) for each in ({**common, **slot}, common)]
            own["optimizer"] = {**common, **slot} if names[0] == names[1] else slot
        return Optimization.model_validate(base | own)


def make_adam(settings: Optimization) -> Optimizer:
    """Adam, with what `settings.optimizer` says of it.

    Raises:
        UnfitError: that names another one, which a registry must find.
    """
    name = settings.optimizer.get("name", Adam.name)
    if name != Adam.name:
        raise UnfitError(f"optimizer '{name}': a trainer knows adam alone, unless make_optimizer is given")
    return Adam(**{name: value for name, value in settings.optimizer.items() if name != "name"})


class RoleOptimizer:
    """An optimizer on the parameters of one role."""

    def __init__(self, module: nn.Module, settings: Optimization, optimizer: Optimizer) -> None:
        self.settings = settings
        self.parameters: list[nn.Parameter] = list(module.parameters())
        device = self.parameters[0].device
        # A tensor that is moved in place, so that what is captured reads it; in the precision of a number
        # where the device has that.
        precision = torch.float64 if device.type == "cpu" else torch.float32
        self._lr = torch.tensor(settings.lr, dtype=precision, device=device)
        self.optimizer = optimizer
        self.torch = optimizer.over(self.parameters, self._lr)
        # torch's fused kernels read a tensor that says whether to step, as GradScaler hands it to them.
        self._skips = getattr(self.torch, "_step_supports_amp_scaling", False)

    def set_rate(self, rate: float) -> None:
        """Step at `rate` from now on."""
        self._lr.fill_(rate)

    def step(self, skip: Tensor | None = None) -> None:
        """Clip the gradients and step, unless `skip` is 1; the device is waited for only where it must be."""
        if self._skips:
            self.torch.found_inf = skip  # type: ignore[attr-defined]
        elif skip:
            return
        if self.settings.clip_value is not None:
            nn.utils.clip_grad_value_(self.parameters, self.settings.clip_value)
        if self.settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.settings.clip_norm)
        self.torch.step()

    def state(self) -> dict[str, Tensor]:
        """The optimizer's tensors, moments and step counts, as `index.name` of each parameter.

        Raises:
            UnfitError: it keeps something else, which would be lost.
        """
        state = self.torch.state_dict()["state"]
        found = {f"{i}.{name}": value for i, values in state.items() for name, value in values.items()}
        if lost := [name for name, v in found.items() if not isinstance(v, Tensor | None)]:
            raise UnfitError(f"{describe(self.optimizer)} keeps '{lost[0]}', which is no tensor")
        return {name: value for name, value in found.items() if value is not None}

    def expected(self) -> dict[str, Tensor]:
        """What `state` gives once it has stepped: that of a copy which takes a step along no gradient."""
        twin = copy.copy(self)
        twin.parameters = [nn.Parameter(torch.zeros_like(parameter)) for parameter in self.parameters]
        for parameter in twin.parameters:
            parameter.grad = torch.zeros_like(parameter)
        twin.torch = self.optimizer.over(twin.parameters, self._lr.clone())
        twin.torch.step()
        return twin.state()

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            index, name = key.split(".")
            state.setdefault(int(index), {})[name] = value
        groups = self.torch.state_dict()["param_groups"]
        self.torch.load_state_dict({"state": state, "param_groups": groups})
        for group in self.torch.param_groups:
            group["lr"] = self._lr  # loading has put a copy in its place


def optimizers_of(
    method: Method,
    phases: Sequence[Phase],
    settings: TrainerSettings,
    make: Callable[[Optimization], Optimizer],
) -> dict[str, RoleOptimizer]:
    """One for each role that a phase trains and that has parameters (few posteriors have any).

    Raises:
        UnfitError: settings are of a role that no phase trains.
    """
    trained = list(dict.fromkeys(role for phase in phases for role in phase.trains))
    if unknown := [role for role in settings.roles if role not in trained]:
        raise UnfitError(f"trainer.roles.{unknown[0]}: {describe(method)} trains {', '.join(trained)}")
    own = {role: settings.of(role) for role in trained}
    return {
        role: RoleOptimizer(method.player(role), each, make(each))
        for role, each in own.items()
        if list(method.player(role).parameters())
    }
