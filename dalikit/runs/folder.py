"""The folder of a run that is yet to be made: whether it is free, and how it is cleared."""

import shutil
from pathlib import Path

from dalikit.errors import UserError
from dalikit.files import UNFINISHED
from dalikit.runs.files import unwritable
from dalikit.runs.lock import LOCK

ASIDE = "scores.before.json"
"""Final scores that are to be replaced by new ones, and are put back if those do not come."""

OWN = {
    *("run.json", "config.yaml", "metrics.jsonl", "scores.json", ASIDE),
    *("samples", "reconstructions", "checkpoints"),
}
"""What a run consists of."""


def check_free(path: Path) -> None:
    """Raise `UserError` if there is something at `path` already, but for a lock. Changes nothing."""
    if (path / "config.yaml").exists():
        raise UserError(
            f"Output {path} holds a run already: go on with it by `dalikit train --resume {path}`, or "
            "choose another --out. Nothing was changed."
        )
    if path.exists() and (not path.is_dir() or any(found.name != LOCK for found in path.iterdir())):
        raise UserError(f"Output {path} is not an empty folder: choose another --out. Nothing was changed.")


def clear(run: Path) -> None:
    """Remove the run at `run`, but for its lock; a folder that is no run's is left as it is.

    Raises:
        UserError: a file cannot be removed.
    """
    found = [path for path in run.iterdir() if path.name != LOCK]
    if not (run / "config.yaml").is_file() and not all(map(_own, found)):
        return
    try:
        # The configuration last: what is killed in the middle of this is still known for a run.
        for path in sorted(found, key=lambda path: path.name == "config.yaml"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as error:
        raise unwritable(run, error) from None


def _own(path: Path) -> bool:
    return path.name in OWN or path.suffix == UNFINISHED
