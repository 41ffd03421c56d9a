"""All that is logged as JSON lines in the run's metrics.jsonl, losses by itself."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from dalikit.hookspecs import offer
from dalikit.interfaces import Callback, Fit
from dalikit.runs import Context

DALIKIT_API = 2


class Log(Callback):
    """Writes the losses, averaged, every `every` steps; a NaN among them ends the run."""

    name = "log"

    def __init__(self, context: Context, /, *, every: Annotated[int, Field(ge=1)] = 50) -> None:
        self.run = context.run
        self.every = every

    def step_end(self, fit: Fit) -> None:
        """Write a line when one is due."""
        if fit.step % self.every == 0 or fit.step == fit.steps:
            losses = fit.losses(self.name)
            fit.log({"event": "losses", "step": fit.step, "images": fit.images, **losses})

    def logged(self, fit: Fit, record: Mapping[str, Any]) -> None:
        """Write a line of whatever is logged."""
        self.run.log(record)


dalikit_components = offer(Log)
