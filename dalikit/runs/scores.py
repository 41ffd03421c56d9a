"""Final scores as a document: what scores.json holds and `dalikit evaluate --json` prints."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import torch

from dalikit.interfaces import Dataset, Score
from dalikit.runs.directory import RunDirectory


def scores_document(
    run: RunDirectory,
    step: int,
    dataset: Dataset,
    scores: Sequence[Score],
    skipped: Mapping[str, str],
    seed: int = 0,
) -> dict[str, Any]:
    """The scores as JSON holds them: each metric's values and protocol, and what holds for all of them.

    The data are said to be prepared as `dataset` says now, which may have changed since the training.
    """
    ema = run.config.trainer["ema"]
    data = run.facts.data.model_copy(update={"preparation": dataset.preparation})
    later = {"fitting", "standardization", "float_range"}  # of what is handed in, and no part of a protocol
    return {
        "run": str(run.path),
        "step": step,
        "weights": f"averaged, decay {ema:g}" if ema else "raw",
        "seed": seed,
        "data": data.model_dump(mode="json", exclude=later),
        "versions": {"dalikit": version("dalikit"), "torch": torch.__version__},
        "metrics": {s.metric: {**s.values, "protocol": dict(s.protocol)} for s in scores},
        "skipped": dict(skipped),
    }
