"""A training as its watchers see it."""

from abc import ABC
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from torch import Tensor

from dalikit.interfaces.methods import Method


@dataclass(frozen=True)
class TrainingState:
    """All that a resume must restore: `tensors`, and `scalars` that JSON can hold."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    scalars: dict[str, Any] = field(default_factory=dict)


class Fit(Protocol):
    """What a callback may see of a training in progress."""

    method: Method
    """With the weights that are being trained."""

    inference: Method
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

    def losses(self) -> dict[str, float]:
        """Each phase's terms, averaged since the last call that found new ones. Waits for the device.

        Raises:
            NonFiniteLossError: one of them is NaN or infinite.
        """

    def state(self) -> TrainingState:
        """All that a resume must restore, as copies on the CPU."""


class Callback(ABC):
    """Something that watches a training. Built as `cls(context)`; three events, no more.

    `context` is a `dalikit.runs.Context`: the run directory, the data set and its metrics.
    """

    name: ClassVar[str]

    def fit_start(self, fit: Fit) -> None:
        """Before the first iteration of this process."""

    def step_end(self, fit: Fit) -> None:
        """After each iteration."""

    def fit_end(self, fit: Fit) -> None:
        """After the last iteration, also when training was interrupted or `failed`."""
