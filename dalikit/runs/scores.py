"""Final scores as a document: what scores.json holds and `dalikit evaluate --json` prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch

from dalikit.interfaces import Dataset, Score
from dalikit.runs.checkpoints import Which
from dalikit.runs.directory import RunDirectory
from dalikit.runs.facts import BestFacts


@dataclass(frozen=True)
class KeptScores:
    """The final scores of the best weights, and by which score of validation they are the best."""

    by: BestFacts
    scores: Sequence[Score]
    skipped: Mapping[str, str]


def scores_document(
    run: RunDirectory,
    step: int,
    dataset: Dataset,
    scores: Sequence[Score],
    skipped: Mapping[str, str],
    seed: int = 0,
    weights: Which = "last",
    best: KeptScores | None = None,
) -> dict[str, Any]:
    """The scores as JSON holds them: each metric's values and protocol, and what holds for all of them.

    The data are told of as `dataset` has them now, which may have changed since the training.

    Args:
        run: whose scores they are.
        step: of the weights.
        dataset: what they were scored on.
        scores: of the `weights`.
        skipped: by metric, why there is none.
        seed: of what metrics drew.
        weights: which of the run's.
        best: those of the best weights besides.
    """
    ema = run.config.trainer["ema"]
    today = {"preparation": dataset.preparation, "stamp": dict(dataset.stamp)}
    data = run.facts.data.model_copy(update=today)
    later = {"fitting", "standardization", "float_range"}  # of what is handed in, and no part of a protocol
    return {
        "run": str(run.path),
        "identity": run.identity,
        "step": step,
        "weights": (f"averaged, decay {ema:g}" if ema else "raw") + (", best" if weights == "best" else ""),
        "seed": seed,
        "data": data.model_dump(mode="json", exclude=later),
        "versions": {"dalikit": version("dalikit"), "torch": torch.__version__},
        **_by_metric(scores, skipped),
        **({} if best is None else {"best": _of_best(best)}),
    }


def _of_best(best: KeptScores) -> dict[str, Any]:
    return {"step": best.by.step, "by": best.by.model_dump(), **_by_metric(best.scores, best.skipped)}


def _by_metric(scores: Sequence[Score], skipped: Mapping[str, str]) -> dict[str, Any]:
    found = {s.metric: {**s.values, "protocol": dict(s.protocol)} for s in scores}
    return {"metrics": found, "skipped": dict(skipped)}
