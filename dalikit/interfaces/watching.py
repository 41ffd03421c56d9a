"""A training as its watchers see it."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from torch import Tensor

from dalikit.interfaces.derived import Derived
from dalikit.interfaces.kinds import Component, Kind

if TYPE_CHECKING:
    from dalikit.interfaces.methods import Method


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of those that hold NaN or infinity."""
    return [n for n, t in tensors.items() if t.is_floating_point() and not bool(t.isfinite().all())]


@dataclass(frozen=True)
class TrainingState:
    """All that a resume must restore: `tensors`, and `scalars` that JSON can hold."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    scalars: dict[str, Any] = field(default_factory=dict)

    @property
    def nonfinite(self) -> str | None:
        """The name of a tensor that holds NaN or infinity, and not by design, or None."""
        known = self.scalars.get("infinite", ())
        return next((name for name in not_finite(self.tensors) if name.partition("/")[2] not in known), None)


class Fit(Protocol):
    """What a callback may see of a training in progress."""

    method: Method
    """With the weights that are being trained."""

    @property
    def inference(self) -> Method:
        """With the averaged weights, in eval mode: what sampling and inference use."""

    step: int
    """Finished iterations."""

    steps: int
    """Iterations at the end of training."""

    images: int
    """Data read so far."""

    failed: bool
    """Whether an error is ending training: what is in memory may be worthless then."""

    @property
    def running(self) -> bool:
        """Whether another iteration will follow."""

    infinite: Sequence[str]
    """Names of the method's tensors that are not finite by design, such as a mask of -inf."""

    interrupted: bool
    """Whether it is to end at once, by a signal for example."""

    def stop(self) -> None:
        """Ask training to end after the iteration it is in."""

    def check(self) -> None:
        """Raise `Stopped` if training is to end at once; called between the parts of what takes seconds.

        A callback that is ended by it is told of the same step again when training goes on, so it calls this
        before it logs or writes anything.
        """

    def losses(self, reader: str = "") -> dict[str, float]:
        """Each phase's terms, averaged since this reader's last call that found new ones.

        It waits for the device. Each reader has averages of its own, whoever else reads; a callback's name
        makes a good one.

        Raises:
            NonFiniteLossError: one of them is NaN or infinite.
        """

    def log(self, record: Mapping[str, Any]) -> None:
        """Hand a record (`event`, `step`, and what there is to say, as JSON has it) to every callback."""

    def state(self) -> TrainingState:
        """All that a resume must restore, as copies on the CPU."""


class Callback(Component, ABC):
    """Something that watches a training. Built as `cls(context)`, or `cls()`.

    `context` is a `dalikit.runs.Context`: the run directory, the data set and its metrics.
    """

    kind = Kind("callback", supplied=("context",))
    saves: ClassVar[bool] = False
    """Whether it keeps `Fit.state()`: it is told of a step first, and ends the training if it fails."""

    @classmethod
    def settled(cls, settings: Mapping[str, Any], method: type[Method]) -> Mapping[str, Derived]:
        """Settings that nobody gave and that it needs, by dotted key, e.g. `metrics.modes` to read a metric.

        Args:
            settings: the run's, complete, by section.
            method: what is trained.

        Raises:
            UserError: what was given contradicts itself.
        """
        return {}

    def fit_start(self, fit: Fit) -> None:
        """Before the first iteration of this process."""

    def step_end(self, fit: Fit) -> None:
        """After each iteration."""

    def logged(self, fit: Fit, record: Mapping[str, Any]) -> None:
        """Something was logged: `losses`, a `score`, a `picture` with its path, or the final `scores`."""

    def fit_end(self, fit: Fit) -> None:
        """After the last iteration and the final scores, also when training was interrupted or `failed`."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it, as JSON has it."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave, before `fit_start`."""
