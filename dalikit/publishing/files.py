"""What of a run others need to use it: never its data, and what a resume needs if that is asked for."""

from collections.abc import Iterator
from pathlib import Path

from dalikit.runs import RunDirectory
from dalikit.runs.checkpoints import STATE, TRAINING, WEIGHTS
from dalikit.runs.directory import SCORES
from dalikit.runs.documents import CONFIG, FACTS
from dalikit.runs.folders import pictures
from dalikit.runs.log import LOG
from dalikit.runs.manifest import MANIFEST
from dalikit.runs.verifying import BEST

PICTURES = ("samples", "reconstructions")
"""Folders of which the last picture goes along."""


def files_of(run: RunDirectory, *, everything: bool = False) -> dict[str, Path]:
    """Files of a run, by their paths in it.

    Its configuration, facts, scores and log, the averaged weights of the newest checkpoint and the best ones,
    each with its manifest, and the last pictures.

    Args:
        run: whose files they are.
        everything: whether what a resume needs goes along too.

    Raises:
        UserError: there are no whole weights.
    """
    found = [Path(name) for name in (CONFIG, FACTS, SCORES, LOG) if (run.path / name).is_file()]
    found += [path.relative_to(run.path) for path in (*_weights(run, everything), *_pictures(run))]
    return {path.as_posix(): run.path / path for path in found}


def _weights(run: RunDirectory, everything: bool) -> Iterator[Path]:
    """Those of the newest folders that are whole, which are read for it."""
    step, _ = run.load_averaged("last")
    last = run.path / "checkpoints" / f"step-{step:06d}"
    yield from (last / name for name in (WEIGHTS, MANIFEST, *((TRAINING, STATE) if everything else ())))
    if (kept := run.load_best()) is not None:
        best = run.path / "best" / f"step-{kept[0].step:06d}"
        yield from (best / name for name in (WEIGHTS, MANIFEST, BEST))


def _pictures(run: RunDirectory) -> Iterator[Path]:
    for folder in PICTURES:
        yield from pictures(run.path / folder)[-1:]
