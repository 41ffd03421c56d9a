"""The runs in a folder, each in a few words; what is wrong with one hides no other."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from dalikit.errors import UserError
from dalikit.runs import RunDirectory
from dalikit.runs.standing import State, standing
from dalikit.whereabouts import begun, runs_below


@dataclass(frozen=True)
class Listed:
    """A run in a few words.

    Attributes:
        run: its folder.
        state: whether it is trained now, was stopped, is finished, or is damaged.
        age: seconds since it was begun.
        method: that it trains, or None where that cannot be read.
        data: the data set's name, likewise.
        step: that it has reached: the last logged one in training, else that of its last checkpoint.
        steps: that there are to be.
        scores: of a finished run: by metric its values, those of the last weights.
        fault: what is wrong, or "".
    """

    run: Path
    state: State | Literal["damaged"]
    age: float
    method: str | None = None
    data: str | None = None
    step: int | None = None
    steps: int | None = None
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    fault: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "run": str(self.run), "age": round(self.age, 1), "fault": self.fault or None}


def list_runs(folder: Path) -> list[Listed]:
    """The runs in a folder and in those below it, the newest first. Nothing is written.

    Raises:
        UserError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: runs lie in folders, by default below runs")
    return [_listed(path) for path in runs_below(folder)]


def _listed(path: Path) -> Listed:
    age = time.time() - begun(path)[0]
    method = data = None
    try:
        run = RunDirectory.open(path)
        config = run.config
        method, data = str(config.method.name), str(config.dataset.name)
        found = standing(run)
        scores = _figures(run.scores.metrics) if found.state == "finished" else {}
    except UserError as error:
        return Listed(path, "damaged", age, method, data, fault=str(error))
    return Listed(path, found.state, age, method, data, found.step, found.steps, scores)


def _figures(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    return {
        metric: {
            name: value
            for name, value in values.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        for metric, values in metrics.items()
    }
