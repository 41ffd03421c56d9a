"""Checkpoints, so that a run goes on where it stopped."""

import time
import warnings
from typing import Annotated

from pydantic import Field

from dalikit.errors import NonFiniteLossError, RunError, RunGoneError
from dalikit.hookspecs import offer
from dalikit.interfaces import Callback, Fit, TrainingState
from dalikit.runs import Context

DALIKIT_API = 2

PAUSES = (2, 10, 30)
"""Seconds before each further try to write a checkpoint; what the last one fails with ends the training."""


class Checkpoint(Callback):
    """Writes a checkpoint every `every` steps and at the end, interrupted or not; keeps the last `keep`."""

    name = "checkpoint"
    saves = True

    def __init__(
        self,
        context: Context,
        /,
        *,
        every: Annotated[int, Field(ge=1)] = 1000,
        keep: Annotated[int, Field(ge=1)] = 2,
    ) -> None:
        self.run = context.run
        self.components = context.components
        self.every = every
        self.keep = keep
        self._saved = -1

    def fit_start(self, fit: Fit) -> None:
        """What training goes on from needs no new one, and its beginning none at all."""
        self._saved = fit.step

    def step_end(self, fit: Fit) -> None:
        """Write one when it is due, and at the last step, before that is scored."""
        if fit.step % self.every == 0 or not fit.running:
            self._save(fit)

    def fit_end(self, fit: Fit) -> None:
        """Write one where training was stopped, unless an error has ended it."""
        if not fit.failed and fit.step != self._saved:
            self._save(fit)

    def _save(self, fit: Fit) -> None:
        fit.losses(self.name)  # raises where they are not finite
        state = fit.state()
        if (name := state.nonfinite) is not None:  # such weights must not replace good ones
            raise NonFiniteLossError(
                f"At step {fit.step} {name} is not finite: a lower trainer.lr or a trainer.clip_norm may help"
            )
        self._written(fit, state)
        self._saved = fit.step

    def _written(self, fit: Fit, state: TrainingState) -> None:
        """Write it, and try again where that fails: a disk that is full or gone may come back."""
        for seconds in PAUSES:
            try:
                self.run.save_checkpoint(state, self.keep, self.components)
                return
            except RunGoneError:  # whoever moved it will not put it back
                raise
            except RunError as error:
                warnings.warn(f"{error}; trying again in {seconds} s", stacklevel=2)
            _wait(fit, seconds)
        self.run.save_checkpoint(state, self.keep, self.components)


def _wait(fit: Fit, seconds: float) -> None:
    """Wait so long, but not where training is to end at once."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not fit.interrupted:
        time.sleep(0.2)


dalikit_components = offer(Checkpoint)
