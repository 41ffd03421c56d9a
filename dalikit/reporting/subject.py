"""A run as its report reads it: what it says of itself, its log and its scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dalikit.errors import UserError
from dalikit.runs import FinalScores, RunDirectory, RunFacts
from dalikit.runs.config import RunConfig
from dalikit.runs.directory import SCORES
from dalikit.runs.folders import step_of
from dalikit.runs.lock import held
from dalikit.studies.compare import apart

FINISHED, TRAINING, STOPPED = "finished", "still in training", "not finished"


@dataclass(frozen=True)
class Subject:
    """A run, without its weights.

    Attributes:
        name: what tells it from others on the page.
        log: the lines of it.
        scores: the final ones, or None.
        faults: what of it could not be read, or is not as it was written, a sentence each.
        beside: how many runs share the page, this one among them.
    """

    name: str
    run: RunDirectory
    config: RunConfig
    facts: RunFacts
    log: Sequence[Mapping[str, Any]]
    scores: FinalScores | None
    faults: Sequence[str]
    beside: int = 1

    @property
    def what(self) -> str:
        """The method and the data, in words."""
        return f"{self.config.method.name} on {self.config.dataset.name}"

    @property
    def steps(self) -> int | None:
        """How many there are to be in the end, where the configuration says."""
        steps = self.config.trainer.get("steps")
        return steps if isinstance(steps, int) else None

    @cached_property
    def step(self) -> int:
        """How far it is known to have come."""
        saved = [step_of(folder) for folder in self.run.checkpoints()]
        return max([0, *saved, *(line["step"] for line in self.log)])

    @cached_property
    def state(self) -> str:
        """One of `FINISHED`, `TRAINING` and `STOPPED`."""
        if self.scores is not None and self.scores.step == self.steps:
            return FINISHED
        return TRAINING if held(self.run.path) else STOPPED

    def told(self, name: str) -> Any:
        """What run.json says besides, by name, or None."""
        return (self.facts.model_extra or {}).get(name)


def read_all(paths: Sequence[Path]) -> list[Subject]:
    """The runs at `paths`, each once, named by their folders, or by where their paths differ.

    Raises as `read` does.
    """
    each = list(dict.fromkeys(path.resolve() for path in paths))
    plain = len({path.name for path in each}) == len(each)
    return [read(path, path.name if plain else apart(path, each), len(each)) for path in each]


def read(path: Path, name: str, beside: int = 1) -> Subject:
    """The run at `path`, on a page of so many.

    Raises:
        UserError: there is none, or its configuration or run.json is damaged.
    """
    run = RunDirectory.open(path)
    faults = [f"{file} is not as it was written: it was edited, or damaged." for file in run.edited()]
    log: list[dict[str, Any]] = []
    scores = None
    try:
        log = run.log_lines()
    except UserError as error:
        faults.append(f"{error}.")
    if (path / SCORES).exists():
        try:
            scores = run.scores
        except UserError as error:
            faults.append(f"{error}.")
    return Subject(name, run, run.config, run.facts, log, scores, faults, beside)
