"""How far a run is: whether it is trained now, was stopped, or is finished, and at which step."""

from dataclasses import dataclass
from typing import Literal

from dalikit.runs.directory import RunDirectory
from dalikit.runs.folders import step_of
from dalikit.runs.lock import held

State = Literal["in training", "stopped", "finished"]


@dataclass(frozen=True)
class Standing:
    """How far a run is: its state, its step, and how many there are to be.

    Of a run in training the step is the last that was logged; of one that was stopped, that of its last
    checkpoint, from which it would go on.
    """

    state: State
    step: int
    steps: int

    def __str__(self) -> str:
        return f"{self.state}, at step {self.step:,} of {self.steps:,}"


def standing(run: RunDirectory) -> Standing:
    """How far a run is.

    Raises:
        UserError: its configuration, its scores, or the end of its log are damaged.
    """
    steps = int(run.config.trainer.get("steps") or 0)
    saved = max(map(step_of, run.checkpoints()), default=0)
    if held(run.path):
        return Standing("in training", max(saved, run.last_step()), steps)
    return Standing("finished", steps, steps) if run.scored else Standing("stopped", saved, steps)
