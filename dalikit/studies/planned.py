"""One run of a study, as it is planned: what it is called, where it lies, and its configuration."""

from dataclasses import dataclass
from pathlib import Path

from dalikit.interfaces import StudyRow
from dalikit.runs.config import RunConfig


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study. `config` is None where the settings mean nothing; `fault` says why."""

    row: StudyRow
    dataset: str
    seed: int
    folder: Path
    config: RunConfig | None
    fault: str = ""

    @property
    def name(self) -> str:
        """What logs call it, and the name of its log."""
        return f"{self.dataset}-{self.row.name}-seed{self.seed}"
