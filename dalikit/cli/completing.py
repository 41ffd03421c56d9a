"""What a shell completes with: runs, and components by name. It waits for them, so no torch is loaded."""

from collections.abc import Callable, Iterator
from pathlib import Path

from dalikit.whereabouts import LATEST, RUNS, runs_below

Complete = Callable[[str], list[str]]


def of_kind(kind: str) -> Complete:
    """Completes names of a kind's components."""

    def complete(incomplete: str) -> list[str]:
        from dalikit.cli.naming import names

        return [name for name in names(kind) if name.startswith(incomplete)]

    return complete


def one_of(*words: str) -> Complete:
    """Completes one of a few words."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


def run_folders(incomplete: str) -> list[str]:
    """Completes runs below `runs`, the newest one as `latest`, and folders on the way to others."""
    known = [str(run) for run in runs_below(RUNS)]
    found = [*([LATEST] if known else []), *known, *_folders(incomplete)]
    return [each for each in dict.fromkeys(found) if each.startswith(incomplete)]


def _folders(incomplete: str) -> Iterator[str]:
    parent = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    try:
        inner = sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:  # there is no such folder, or this user may not look into it
        return
    yield from (str(path) for path in inner)
