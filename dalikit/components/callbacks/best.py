"""The averaged weights that validation found best, kept beside the last ones."""

import sys
from collections.abc import Collection, Mapping
from typing import Any

from dalikit.errors import UserError
from dalikit.hookspecs import offer
from dalikit.interfaces import Callback, Derived, Fit, Headline, Method
from dalikit.runs import BestFacts, Context

DALIKIT_API = 2

OF_CODES = "reconstruction"
"""The metric of methods that infer."""

OF_SAMPLES = ("fidelity", "modes", "stacked-modes")
"""Metrics of samples, for other methods and data."""

ELSE = "pixel-frechet"
"""The metric of runs that score none of those, for it serves every data set."""


class Best(Callback):
    """Keeps the averaged weights whose validation score is the best so far, as `evaluation` finds it.

    Args:
        metric: whose headline decides. Unless given, of those that the run scores through training
            reconstruction, if the method infers, else fidelity or modes; if there is none, pixel-frechet.

    Raises:
        UserError: the run does not have the metric, or that says nothing of which value is better.
    """

    name = "best"

    def __init__(self, context: Context, /, *, metric: str | None = None) -> None:
        self.run = context.run
        self.metrics = context.metrics
        self.metric = metric
        self.found: BestFacts | None = None
        if metric is not None and metric not in self.metrics:
            known = ", ".join(self.metrics) or "none"
            raise UserError(f"callbacks.best.metric: the run has no metric '{metric}'; it has {known}")
        if metric is not None and not self._headline:
            raise UserError(f"callbacks.best.metric: '{metric}' has no headline, which says what is better")

    @classmethod
    def settled(cls, settings: Mapping[str, Any], method: type[Method]) -> Mapping[str, Derived]:
        """Its metric; and that the run has it, and scores it through training."""
        metrics, evaluation = settings["metrics"], settings["callbacks"].get("evaluation")
        asked = settings["callbacks"][cls.name]["metric"]
        off = [name for name, params in metrics.items() if params is None]
        if asked and (evaluation is None or asked in off):
            what = "callbacks.evaluation" if evaluation is None else f"metrics.{asked}"
            raise UserError(
                f"callbacks.best.metric is {asked}, but {what} is off: turn it on, or set it to null"
            )
        if asked == OF_CODES and not method.infers:
            raise UserError(f"callbacks.best.metric: method '{method.name}' has no {asked}: set it to null")
        if evaluation is None:
            return {f"callbacks.{cls.name}": Derived(None, "callbacks.evaluation is off: nothing is scored")}
        scored = evaluation["metrics"]
        if scored is None:
            scored = [name for name in metrics if name not in off]
        metric, reason = (asked, "") if asked else _choose(method.infers, scored, off)
        if metric is None:
            return {f"callbacks.{cls.name}": Derived(None, reason)}
        found = {} if asked else {f"callbacks.{cls.name}.metric": Derived(metric, reason)}
        read = f"callbacks.{cls.name} reads it"
        if metric not in metrics:
            found[f"metrics.{metric}"] = Derived({}, read)
        if metric not in scored and evaluation["metrics"] is not None:
            found["callbacks.evaluation.metrics"] = Derived((*scored, metric), f"{metric}: {read}")
        return found

    def fit_start(self, fit: Fit) -> None:
        """Forget what came after the step that training goes on from, and will come again."""
        self.run.rewind_best(-1 if self.found is None else self.found.step)
        if not self.run.bests():
            self.found = None  # removed by hand, so that the next is the best there is
        if self.metric is None:
            self.metric, _ = _choose(fit.method.infers, self.metrics)
        decides = self.metrics.get(str(self.metric))
        if decides and (reason := decides("validation").unfit(fit.inference)):
            print(f"Warning: no best weights are kept, for {self.metric} decides: {reason}", file=sys.stderr)

    def logged(self, fit: Fit, record: Mapping[str, Any]) -> None:
        """Keep the weights of a score that is better than all before."""
        if record["event"] != "score" or record["metric"] != self.metric:
            return
        values = {field: record[field] for field, _ in self._headline}
        if self.found is None or self._merit(values) > self._merit(self.found.values):
            found = BestFacts(step=fit.step, metric=record["metric"], values=values)
            self.run.save_best(fit.inference.state_dict(), found, fit.infinite)
            self.found = found

    def state(self) -> dict[str, Any]:
        """What is best so far."""
        return {} if self.found is None else self.found.model_dump()

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.found = BestFacts(**state) if state else None

    @property
    def _headline(self) -> Headline:
        return self.metrics[str(self.metric)]("validation").headline

    def _merit(self, values: Mapping[str, float]) -> tuple[float, ...]:
        """The headline's values as numbers of which the greater is the better."""
        return tuple(values[f] if better == "higher" else -values[f] for f, better in self._headline)


def _choose(infers: bool, scored: Collection[str], off: Collection[str] = ()) -> tuple[str | None, str]:
    """The metric that decides, and why; none where those that would are turned `off`."""
    likely = {OF_CODES: "the method infers"} if infers else {}
    likely |= dict.fromkeys(OF_SAMPLES, "the run scores samples by it")
    if found := [(name, reason) for name, reason in likely.items() if name in scored]:
        return found[0]
    return (None, "its metrics are off") if ELSE in off else (ELSE, "it serves every data set")


dalikit_components = offer(Best)
