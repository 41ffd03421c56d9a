"""The data set's metrics on its validation part, through training."""

from typing import Annotated

from pydantic import Field

from dalikit.errors import UserError
from dalikit.evaluation import scoring
from dalikit.hookspecs import offer
from dalikit.interfaces import Callback, Fit
from dalikit.runs import Context

DALIKIT_API = 2


class Evaluation(Callback):
    """Scores the averaged weights every `every` steps, into metrics.jsonl. Choose settings by these.

    Args:
        every: steps between two evaluations; there is one at the end of training, and none where it stops.
        metrics: names of those computed, all of the run's unless given.
    """

    name = "evaluation"

    def __init__(
        self,
        context: Context,
        /,
        *,
        every: Annotated[int, Field(ge=1)] = 500,
        metrics: tuple[str, ...] | None = None,
    ) -> None:
        self.every = every
        self.makers = {n: make for n, make in context.metrics.items() if metrics is None or n in metrics}
        if metrics is not None and (unknown := [name for name in metrics if name not in self.makers]):
            known = ", ".join(context.metrics) or "none"
            raise UserError(
                f"callbacks.evaluation.metrics: the run has no metric '{unknown[0]}'; it has {known}"
            )

    def step_end(self, fit: Fit) -> None:
        """Score when it is due."""
        if fit.step % self.every == 0 or fit.step == fit.steps:
            fit.losses(self.name)  # raises where they are not finite: a score of NaN says nothing
            scores, skipped = scoring.score_all(self.makers, fit.inference, "validation", check=fit.check)
            for score in scores:
                record = {"event": "score", "step": fit.step, "metric": score.metric}
                fit.log({**record, **score.values, "protocol": dict(score.protocol)})
            for name, reason in skipped.items():  # no reason to lose a training
                fit.log({"event": "left out", "step": fit.step, "metric": name, "reason": reason})


dalikit_components = offer(Evaluation)
