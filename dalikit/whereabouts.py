"""Where runs lie: those below a folder, and the newest of all. No torch is loaded for it."""

import json
import os
from datetime import datetime
from itertools import islice
from pathlib import Path

from dalikit.errors import UserError
from dalikit.plainfiles import read_text

RUNS = Path("runs")
"""The folder under which runs are made where nobody says where."""

LATEST = "latest"
"""What the newest run below `RUNS` is called wherever a run is asked for."""

SIGNS = ("config.yaml", "run.json", "metrics.jsonl")
"""Files of a run; a folder with two of them is one, whole or damaged."""

DEEPEST = 6
"""Folders down to a run at most; those of a study are five below `RUNS`."""

MOST = 10_000
"""Folders that are looked into: somebody may ask about a whole disk."""

BYTES = 1 << 26


def is_run(folder: Path) -> bool:
    """Whether a folder is a run's, whole or damaged."""
    return sum((folder / name).is_file() for name in SIGNS) > 1


def runs_below(folder: Path, deepest: int = DEEPEST) -> list[Path]:
    """The runs in a folder and in those below it, no deeper than `deepest`, the newest first.

    A folder that is a run itself is the only one. Links are not followed, nor folders whose names begin with
    a dot; what this user may not read is passed over.
    """
    if is_run(folder):
        return [folder]
    found = []
    for place, inner, _ in islice(os.walk(folder), MOST):
        here = Path(place)
        own = [name for name in inner if not (name.startswith(".") or (here / name).is_symlink())]
        runs = [name for name in own if is_run(here / name)]
        found += [here / name for name in runs]
        depth = len(here.parts) - len(folder.parts) + 1
        inner[:] = [] if depth >= deepest else sorted(set(own) - set(runs))
    return sorted(found, key=begun, reverse=True)


def begun(run: Path) -> tuple[float, float]:
    """When a run was begun, in seconds since 1970: as it says itself, and as its files say."""
    changed = max(_changed(run / name) for name in SIGNS)
    try:
        said = datetime.fromisoformat(json.loads(read_text(run / "run.json", BYTES))["started"]).timestamp()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # which whoever uses it is told of
        said = changed
    return said, changed


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:  # it is not there, or not any more
        return 0.0


def latest(folder: Path = RUNS) -> Path:
    """The newest run below a folder.

    Raises:
        UserError: there is none.
    """
    found = runs_below(folder)
    if not found:
        raise UserError(f"There is no run under {folder} that '{LATEST}' could be: `dalikit train` makes one")
    return found[0]


def told_inside(folder: Path, most: int = 5) -> str:
    """Which runs lie in a folder that is none itself, for an error's text; nothing where there are none."""
    found = runs_below(folder, 2) if folder.is_dir() and not is_run(folder) else []
    if not found:
        return ""
    names = ", ".join(map(str, found[:most])) + (f" and {len(found) - most} more" if found[most:] else "")
    return f"runs lie in it: {names}"
