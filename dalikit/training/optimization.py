"""One role's optimizer: Adam, its rate's schedule, and gradient clipping."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field, with_config
from torch import Tensor, nn
from typing_extensions import TypedDict

Schedule = Literal["constant", "inverse-sqrt", "linear"]
Rate = Annotated[float, Field(gt=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]


@with_config(ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))
class RoleOptions(TypedDict, total=False):
    """The settings in which one role differs from the others; see `Optimization`."""

    lr: Rate
    betas: tuple[Beta, Beta]
    schedule: Schedule
    period: int | None
    clip_value: Rate | None
    clip_norm: Rate | None


@dataclass(frozen=True, kw_only=True)
class Optimization:
    """How one role is optimized.

    Attributes:
        lr: Adam's rate at the start.
        betas: Adam's decay rates.
        schedule: `constant`; `inverse-sqrt`, lr/√t (Kingma and Ba 2014, section 4, which DALI follows), t
            counting from 1 in units of `period` steps; or `linear`, falling to zero at the last step.
        period: steps in one unit of t; None stands for an epoch.
        clip_value: the bound on each element of the gradient, or None.
        clip_norm: the bound on the gradient's norm over the role, or None.
    """

    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    schedule: Schedule = "constant"
    period: int | None = None
    clip_value: float | None = None
    clip_norm: float | None = None

    def rate(self, step: int, steps: int, epoch: int) -> float:
        """The rate at iteration `step` (from 0) of `steps`, an epoch being `epoch` iterations.

        Examples:
            >>> halves = Optimization(lr=1.0, schedule="inverse-sqrt", period=10)
            >>> [halves.rate(step, 100, 5) for step in (0, 9, 30)]
            [1.0, 1.0, 0.5]
        """
        if self.schedule == "inverse-sqrt":
            return self.lr / math.sqrt(1 + step // (self.period or epoch))
        if self.schedule == "linear":
            return self.lr * max(0.0, 1 - step / steps)
        return self.lr


class RoleOptimizer:
    """Adam on the parameters of one role."""

    def __init__(self, module: nn.Module, settings: Optimization) -> None:
        self.settings = settings
        self.parameters: list[nn.Parameter] = list(module.parameters())
        fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in self.parameters)
        self.adam = torch.optim.Adam(self.parameters, settings.lr, settings.betas, fused=fused)

    def set_rate(self, rate: float) -> None:
        """Step at `rate` from now on."""
        for group in self.adam.param_groups:
            group["lr"] = rate

    def step(self) -> None:
        """Clip the gradients and step."""
        if self.settings.clip_value is not None:
            nn.utils.clip_grad_value_(self.parameters, self.settings.clip_value)
        if self.settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.settings.clip_norm)
        self.adam.step()

    def state(self) -> dict[str, Tensor]:
        """Adam's moments and step counts, as `index.name` of each parameter."""
        state = self.adam.state_dict()["state"]
        return {f"{i}.{name}": value for i, values in state.items() for name, value in values.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `state` gave."""
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            index, name = key.split(".")
            state.setdefault(int(index), {})[name] = value
        groups = self.adam.state_dict()["param_groups"]
        self.adam.load_state_dict({"state": state, "param_groups": groups})
