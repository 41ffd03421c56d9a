"""The folder of a run that is yet to be made: whether it is free, and what a killed process left in it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from dalikit.errors import UserError
from dalikit.files import EARLIER, REMOVED, UNFINISHED
from dalikit.runs.files import read_json
from dalikit.runs.lock import LOCK
from dalikit.runs.sealing import is_sealed

ASIDE = "scores.before.json"
"""Final scores that are to be replaced by new ones, and are put back if those do not come."""

WRITTEN = ("samples", "reconstructions", "checkpoints", "best")
"""Folders into which a training writes, and nobody else."""

FILES = ("run.json", "config.yaml", "metrics.jsonl", "scores.json")
"""Files that a training alone writes, the first of them first."""

REPORT = "report.html"
"""The page that is made of a run once it is finished; it may be made again at any time, by anybody."""

OWN = {*FILES, ASIDE, REPORT, *WRITTEN}
"""What a run consists of."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run that is yet to be made, at `path`."""

    path: Path

    def check_free(self) -> None:
        """Raise `UserError` if there is something at `path` already. Changes nothing.

        A lock is nothing, nor is what a start leaves that was killed before it had made a run.
        """
        if (self.path / "config.yaml").exists():
            raise UserError(
                f"Output {self.path} holds a run already: go on with it by `dalikit train --resume "
                f"{self.path}`, or choose another --out. Nothing was changed."
            )
        if self.path.exists() and (not self.path.is_dir() or not all(map(_of_a_start, self.path.iterdir()))):
            raise UserError(
                f"Output {self.path} is not an empty folder: choose another --out. Nothing was changed."
            )

    def tidy(self) -> None:
        """Remove what a process that was killed was in the middle of writing or removing, while it is locked.

        Only where no command but a training writes: others may be at work beside it.
        """
        own = [self.path / folder for folder in WRITTEN]
        within = [path for folder in own if not folder.is_symlink() for path in folder.glob("step-*")]
        beside = [path for path in self.path.glob("*") if path.name.startswith((*FILES, REPORT))]
        for path in within:
            if path.suffix == EARLIER and not path.with_suffix("").exists():
                path.rename(path.with_suffix(""))  # its successor did not come
            elif path.suffix in (UNFINISHED, REMOVED, EARLIER):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        for path in beside:
            if path.suffix == UNFINISHED:
                path.unlink(missing_ok=True)


def _of_a_start(path: Path) -> bool:
    """Whether a file is a lock, or what is written before a folder is a run: it has no config.yaml yet."""
    if path.name == FILES[0]:
        try:
            return is_sealed(read_json(path, path.parent))
        except UserError:  # it is somebody else's
            return False
    return path.name == LOCK or (path.suffix == UNFINISHED and path.name.startswith(FILES))
