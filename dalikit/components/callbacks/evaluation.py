"""The data set's metrics on its validation part, through training."""

from typing import Annotated

from pydantic import Field

from dalikit import evaluation
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import Callback, Fit, Score
from dalikit.runs import Context

DALIKIT_API = 1


class Evaluation(Callback):
    """Scores the averaged weights every `every` steps, into metrics.jsonl. Choose settings by these."""

    name = "evaluation"

    def __init__(self, context: Context, /, *, every: Annotated[int, Field(ge=1)] = 500) -> None:
        self.context = context
        self.every = every

    def step_end(self, fit: Fit) -> None:
        """Score when it is due."""
        if fit.step % self.every == 0 or not fit.running:
            fit.losses()  # raises where they are not finite: a score of NaN says nothing
            for make in self.context.metrics.values():
                metric = make()
                if not metric.unfit(fit.inference):
                    self._log(fit, evaluation.score(metric, fit.inference, "validation"))

    def _log(self, fit: Fit, score: Score) -> None:
        self.context.run.log({"event": "score", "step": fit.step, "metric": score.metric, **score.values})


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the callback."""
    return [Evaluation]
