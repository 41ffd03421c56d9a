"""A run that this process may train: trained, rolled back, scored, and finished."""

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dalikit.assembly.timing import threads
from dalikit.errors import NonFiniteLossError, RunError, UserError
from dalikit.evaluation import scoring
from dalikit.evaluation.scoring import Maker
from dalikit.interfaces import Score, TrainingState
from dalikit.interfaces.blaming import naming
from dalikit.runs import RunDirectory
from dalikit.runs.scores import KeptScores, scores_document
from dalikit.training.restoring import check_tensors
from dalikit.training.trainer import Trainer

ROLLBACKS = 5
"""How often a training may be tried again: its rates are a thirtieth then."""


@dataclass
class TrainingRun:
    """A run that this process may train: it holds the lock.

    Attributes:
        scores: the final ones, once it is finished.
        skipped: by metric, why there is none.
        best: the final ones of the best weights, where any were kept.
    """

    run: RunDirectory
    trainer: Trainer
    metrics: Mapping[str, Maker]
    scores: list[Score] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    best: KeptScores | None = None
    _rolled: list[dict[str, Any]] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether it has reached its last step, and was scored there."""
        return self.trainer.concluded

    def fit(self) -> None:
        """Train to the last step and score, or until the trainer is told to stop.

        Raises:
            NonFiniteLossError: a loss or gradient is not finite, and it is not to be tried again, or was
                often enough.
        """
        rolls = self.trainer.settings.on_nonfinite == "rollback"
        begun = self.trainer.state() if rolls else None
        with threads(self.run.config.threads):
            while True:
                try:
                    return self.trainer.fit(self._conclude)
                except NonFiniteLossError as error:
                    if begun is None or self.trainer.rollbacks >= ROLLBACKS:
                        raise
                    self._roll_back(begun, error)

    def _roll_back(self, begun: TrainingState, error: NonFiniteLossError) -> None:
        """Go back to the last checkpoint, or to where this process began; that stands in the log."""
        run, trainer, failed = self.run, self.trainer, self.trainer.step + 1
        found = run.load_checkpoint() if run.checkpoints() else None
        trainer.roll_back(begun if found is None else found.state)
        run.set_later_aside(trainer.step)
        run.rewind(None if found is None else found.manifest.log, -1 if found is None else trainer.step)
        record = {"event": "rollback", "step": trainer.step, "failed": failed, "reason": str(error)}
        self._rolled.append({**record, "rates": 0.5**trainer.rollbacks})
        for each in self._rolled:  # what went before stood in the lines that have just been dropped
            if each["step"] == trainer.step:
                trainer.log(each)
        warnings.warn(
            f"{error}: going back to step {trainer.step}, at {0.5**trainer.rollbacks:g} of the rates",
            stacklevel=2,
        )

    def missing(self) -> dict[str, str]:
        """Metrics that were asked for and cannot be had, better known before hours are spent on training."""
        asked = {n: make for n, make in self.metrics.items() if n not in self.trainer.dataset.metrics}
        reasons = {name: self._unfit(make) for name, make in asked.items()}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def _unfit(self, make: Maker) -> str | None:
        """Why a metric cannot be had, or None; one that fails to say is left out when it is scored, too."""
        try:
            with naming():
                return make("test").unfit(self.trainer.inference)
        except RunError as error:
            return str(error)

    def _conclude(self) -> None:
        trainer = self.trainer
        self.scores, self.skipped = scoring.score_all(self.metrics, trainer.inference, check=trainer.check)
        self.best = self._score_best()
        document = scores_document(
            self.run, trainer.step, trainer.dataset, self.scores, self.skipped, best=self.best
        )
        told = ("step", "metrics", "skipped", "best")
        trainer.log({"event": "scores", **{name: document[name] for name in told if name in document}})
        self.run.save_scores(document)  # last: it says that the run is finished

    def _score_best(self) -> KeptScores | None:
        try:
            kept = self.run.load_best()
            if kept is not None:
                check_tensors(self.trainer.inference.state_dict(), kept[1])
        except UserError as error:  # no reason to lose the scores of the last ones
            warnings.warn(f"The best weights are not scored: {error}", stacklevel=2)
            return None
        if kept is None:
            return None
        best, weights = kept
        if best.step == self.trainer.step:
            return KeptScores(best, self.scores, self.skipped)
        method = copy.deepcopy(self.trainer.inference)
        method.load_state_dict(weights)
        return KeptScores(best, *scoring.score_all(self.metrics, method, check=self.trainer.check))
