"""The run directory as an object, and what callbacks are told of it."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalikit.errors import RunError, UserError
from dalikit.evaluation.scoring import Maker
from dalikit.files import write_text
from dalikit.interfaces import Dataset
from dalikit.runs.checkpoints import Checkpoints
from dalikit.runs.config import RunConfig, from_file, merge, to_yaml
from dalikit.runs.facts import FORMAT, DataFacts, FinalScores, RunFacts
from dalikit.runs.files import read_model, unwritable
from dalikit.runs.folder import ASIDE, RunFolder
from dalikit.runs.lock import locked
from dalikit.runs.log import RunLog


@dataclass(frozen=True)
class RunDirectory(Checkpoints, RunLog, RunFolder):
    """A run on disk, at `path`."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes from training here inside the block; the folder is made if it is not there.

        The kernel frees the lock when the process ends, however it ends. Nothing is kept out where there is
        no `flock`: on Windows, and on some network file systems.

        Raises:
            UserError: another process trains here, or the folder cannot be written.
        """
        return locked(self.path)

    def create(self, config: RunConfig, facts: RunFacts) -> None:
        """Make the folder, and write the configuration and the `facts` of the run into it.

        Raises:
            UserError: the folder holds something already, or cannot be made.
        """
        self.check_free()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.path / "run.json", facts.model_dump_json(indent=2))
            write_text(self.path / "config.yaml", to_yaml(config))
        except OSError as error:
            raise unwritable(self.path, error) from None

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """The run at `path`.

        Raises:
            UserError: there is none, or it is of another format.
        """
        run = cls(path)
        if not path.is_dir() or not (path / "config.yaml").is_file():
            raise UserError(f"{path} is not a run: it has no config.yaml. `dalikit train` makes runs.")
        if run.facts.format != FORMAT:
            raise UserError(f"Run {path} is of format {run.facts.format}, this dalikit reads {FORMAT}")
        return run

    @property
    def config(self) -> RunConfig:
        """The resolved configuration.

        Raises:
            UserError: the file is damaged.
        """
        config = merge([from_file(self.path / "config.yaml")])
        if config.latent_size is None:
            raise UserError(f"Run {self.path} is damaged: config.yaml does not say generator.latent_size")
        return config

    @property
    def facts(self) -> "RunFacts":
        """What run.json says.

        Raises:
            UserError: the file is missing or damaged.
        """
        return read_model(RunFacts, "run.json", self.path)

    def tell_other_data(self, dataset: Dataset) -> str:
        """In what the data of today differ from those that it was trained on; nothing where they do not."""
        trained = self.facts.data
        differences = trained.differences(DataFacts.of(dataset))
        known = "was trained" if trained.stamp else "is of before stamps, and may have been trained"
        return f"{self.path} {known} on other data: {'; '.join(differences)}" if differences else ""

    @property
    def scores(self) -> FinalScores:
        """The final scores.

        Raises:
            UserError: the file is missing or damaged.
        """
        return read_model(FinalScores, "scores.json", self.path)

    @property
    def scored(self) -> bool:
        """Whether it is finished: trained to its last step and scored there, not before it was gone on with.

        Raises:
            UserError: its scores or its configuration are damaged.
        """
        there = (self.path / "scores.json").is_file()
        return there and self.scores.step == self.config.trainer.get("steps")

    def forget_scores(self) -> None:
        """Remove the final scores, where there are any."""
        (self.path / "scores.json").unlink(missing_ok=True)

    def set_scores_aside(self) -> None:
        """Keep the final scores under another name until new ones are saved, or these put back."""
        (self.path / "scores.json").replace(self.path / ASIDE)

    def put_scores_back(self) -> None:
        """Undo `set_scores_aside`, where no new scores have come."""
        if (self.path / ASIDE).is_file():
            (self.path / ASIDE).replace(self.path / "scores.json")

    def save_scores(self, scores: Mapping[str, Any]) -> None:
        """Write scores.json.

        Raises:
            RunError: the file cannot be written.
        """
        self._write("scores.json", json.dumps(scores, indent=2, allow_nan=False))
        (self.path / ASIDE).unlink(missing_ok=True)

    def replace_config(self, config: RunConfig) -> None:
        """Write another configuration, e.g. with more steps; raises as `save_scores` does."""
        self._write("config.yaml", to_yaml(config))

    def _write(self, name: str, text: str) -> None:
        try:
            write_text(self.path / name, text)
        except OSError as error:
            raise RunError(f"Cannot write {self.path / name}: {error.strerror}") from None


@dataclass(frozen=True)
class Context:
    """What callbacks are built with: the run directory, the data set, and what makes new metrics, by name."""

    run: RunDirectory
    dataset: Dataset
    metrics: Mapping[str, Maker]
