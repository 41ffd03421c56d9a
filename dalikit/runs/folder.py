"""The folder of a run that is yet to be made: whether it is free, and how it is cleared."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from dalikit.errors import UserError
from dalikit.files import UNFINISHED
from dalikit.runs.files import unwritable
from dalikit.runs.lock import LOCK

ASIDE = "scores.before.json"
"""Final scores that are to be replaced by new ones, and are put back if those do not come."""

OWN = {
    *("run.json", "config.yaml", "metrics.jsonl", "scores.json", ASIDE),
    *("samples", "reconstructions", "checkpoints", "best"),
}
"""What a run consists of."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run that is yet to be made, at `path`."""

    path: Path

    def check_free(self) -> None:
        """Raise `UserError` if there is something at `path` already, but for a lock. Changes nothing."""
        if (self.path / "config.yaml").exists():
            raise UserError(
                f"Output {self.path} holds a run already: go on with it by `dalikit train --resume "
                f"{self.path}`, or choose another --out. Nothing was changed."
            )
        if self.path.exists() and (
            not self.path.is_dir() or any(found.name != LOCK for found in self.path.iterdir())
        ):
            raise UserError(
                f"Output {self.path} is not an empty folder: choose another --out. Nothing was changed."
            )

    def clear(self) -> None:
        """Remove the run, but for its lock, so that it may be made anew; what is no run is left as it is.

        Raises:
            UserError: a file cannot be removed.
        """
        found = [path for path in self.path.iterdir() if path.name != LOCK]
        if not (self.path / "config.yaml").is_file() and not all(map(_own, found)):
            return
        try:
            # The configuration last: what is killed in the middle of this is still known for a run.
            for path in sorted(found, key=lambda path: path.name == "config.yaml"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            raise unwritable(self.path, error) from None


def _own(path: Path) -> bool:
    return path.name in OWN or path.suffix == UNFINISHED
