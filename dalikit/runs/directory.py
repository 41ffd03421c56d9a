"""The run directory as an object, and what callbacks are told of it."""

import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalikit.errors import RunError, UserError
from dalikit.evaluation.scoring import Maker
from dalikit.interfaces import Dataset
from dalikit.plainfiles import check_plain
from dalikit.runs.checkpoints import Checkpoints, Which
from dalikit.runs.config import RunConfig
from dalikit.runs.documents import CONFIG
from dalikit.runs.facts import FORMAT, DataFacts, FinalScores, RunFacts
from dalikit.runs.files import forbidden, read_json, read_model, unwritable
from dalikit.runs.folder import ASIDE, RunFolder
from dalikit.runs.lock import locked
from dalikit.runs.log import LOG
from dalikit.runs.manifest import ComponentFacts, DamagedError, Manifest
from dalikit.runs.sealing import is_sealed, seal_object
from dalikit.whereabouts import told_inside

SCORES = "scores.json"
"""The final scores' file."""


@dataclass(frozen=True)
class RunDirectory(Checkpoints, RunFolder):
    """A run on disk, at `path`."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes from training here inside the block; the folder is made if it is not there.

        Raises as `lock.locked` does, which says how.
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
        except OSError as error:
            raise unwritable(self.path, error) from None
        self.tidy()
        try:
            self.replace_facts(facts)
            self.replace_config(config)  # last: a folder without one is no run
        except RunError as error:
            raise UserError(str(error)) from None
        self.remember()

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """The run at `path`.

        Raises:
            UserError: there is none, this user may not read it, or it is of another format.
        """
        run = cls(path)
        try:
            check_plain(path / CONFIG)
        except PermissionError:
            raise forbidden(path / CONFIG) from None
        except (OSError, ValueError):  # a name with NUL is a ValueError
            raise no_run(path) from None
        if run.facts.format != FORMAT:
            raise UserError(
                f"Run {path} is of format {run.facts.format}, this dalikit reads {FORMAT}: the dalikit that "
                "made it reads it"
            )
        return run

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
            UserError: the file is missing, damaged, or another run's.
        """
        content = read_json(self.path / SCORES, self.path)
        if not is_sealed(content):
            raise UserError(f"Run {self.path} is damaged: {SCORES} is not as it was written")
        if content.get("identity", self.identity) != self.identity:
            raise UserError(f"Run {self.path} is damaged: {SCORES} is another run's")
        return read_model(FinalScores, SCORES, self.path)

    def warn_of_edits(self) -> None:
        """Warn of files that are not as they were written, where the run is used and not gone on with."""
        try:
            newest = Manifest.read(self.checkpoints()[-1])
        except (IndexError, DamagedError):  # there is none, or whoever reads its weights is told of it
            newest = None
        own = newest is not None and newest.run == self.identity
        if changed := self.changed(newest if own else None):
            warnings.warn(
                f"Run {self.path}: {' and '.join(changed)} changed since it was written", stacklevel=3
            )

    def changed(self, manifest: Manifest | None) -> list[str]:
        """Names of its files that are not as they were written, or not as a manifest knows them."""
        found = self.edited()
        if manifest is not None:
            if not found and manifest.settings != self.settings_digest:
                found.append("config.yaml (it is another run's)")
            if not self.log_holds(manifest.log):
                found.append(LOG)
        return found

    def edited_scores(self) -> list[str]:
        """The name of scores.json, where it is not as it was written."""
        try:
            if (self.path / SCORES).is_file():
                self.scores  # noqa: B018 - raises
        except UserError:
            return [SCORES]
        return []

    def foretold(self, which: Which) -> int:
        """The step of the weights that were scored in the end, -1 where none were; warns of damaged scores.

        Weights of before that are what is left of a run. Ask first, and read them then: a training that goes
        on drops its scores.
        """
        try:
            scores = self.scores
        except UserError as error:
            if (self.path / SCORES).is_file():  # no reason not to use its weights
                warnings.warn(str(error), stacklevel=3)
            return -1
        found = scores if which == "last" else scores.best
        return -1 if found is None else found.step

    @property
    def scored(self) -> bool:
        """Whether it is finished: trained to its last step and scored there, not before it was gone on with.

        Raises:
            UserError: its scores or its configuration are damaged.
        """
        there = (self.path / SCORES).is_file()
        return there and self.scores.step == self.config.trainer.get("steps")

    def forget_scores(self) -> None:
        """Remove the final scores, where there are any; raises `UserError` where that cannot be."""
        try:
            (self.path / SCORES).unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(self.path, error) from None

    def set_scores_aside(self) -> None:
        """Keep the final scores under another name until new ones are saved, or these put back."""
        (self.path / SCORES).replace(self.path / ASIDE)

    def put_scores_back(self) -> None:
        """Undo `set_scores_aside`, where no new scores have come."""
        if (self.path / ASIDE).is_file():
            (self.path / ASIDE).replace(self.path / SCORES)

    def save_scores(self, scores: Mapping[str, Any]) -> None:
        """Write scores.json.

        Raises:
            RunError: the file cannot be written, or older scores that it replaces not be removed.
        """
        self._write(SCORES, json.dumps(seal_object(scores), indent=2, allow_nan=False))
        try:
            (self.path / ASIDE).unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"Cannot remove {self.path / ASIDE}: {error.strerror}") from None


def no_run(path: Path) -> UserError:
    """What is raised where a folder is no run: which runs lie in it, if any do."""
    try:
        inside = told_inside(path)
    except (OSError, ValueError):  # a name with NUL
        inside = ""
    if inside:
        return UserError(f"{path} is not a run, but {inside}. Name one of them")
    return UserError(f"{path} is not a run: it has no config.yaml. `dalikit train` makes runs.")


@dataclass(frozen=True)
class Context:
    """What callbacks are built with.

    Attributes:
        run: the run directory.
        dataset: the data set.
        metrics: what makes new ones, by name.
        components: what the run is made of, and where that came from.
    """

    run: RunDirectory
    dataset: Dataset
    metrics: Mapping[str, Maker]
    components: Sequence[ComponentFacts] = ()
