"""A run checked whole: its files held against what was written, and its newest weights put to use."""

import time
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dalikit.assembly.inventory import AbsentError, check_present
from dalikit.assembly.registry import Registry
from dalikit.errors import DalikitError, RunError
from dalikit.interfaces import describe
from dalikit.interfaces.blaming import Suspects, naming
from dalikit.model import load
from dalikit.randomness import RandomState
from dalikit.runs import RunDirectory
from dalikit.runs.checkpoints import Which
from dalikit.runs.documents import CONFIG, FACTS
from dalikit.runs.fault import Fault
from dalikit.runs.verifying import Looked, check_is_run, verify_files

SAMPLES = 4
"""That are drawn, and encoded where the run infers."""

PLACES: dict[Which, str] = {"last": "checkpoints", "best": "best"}
"""The folders in which a run's weights lie."""


@dataclass(frozen=True)
class Verdict:
    """What became of a run.

    Attributes:
        run: its folder.
        files: what its files said.
        used: whose weights were loaded, drawn from and encoded with: "last", and "best" where there are any.
        encoded: whether what was drawn was encoded too, for the run infers.
        unused: why none were, though nothing is wrong with the run: a plugin is not here; or "".
        seconds: that it took.
    """

    run: Path
    files: Looked
    used: tuple[Which, ...]
    encoded: bool
    unused: str
    seconds: float

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.files.faults

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        files = asdict(self.files)
        faults = files.pop("faults")
        rest = {"used": self.used, "encoded": self.encoded, "unused": self.unused or None}
        seconds = round(self.seconds, 3)
        return {
            "run": str(self.run),
            "whole": self.whole,
            "faults": faults,
            **files,
            **rest,
            "seconds": seconds,
        }


def verify(run: str | Path, registry: Registry | None = None, data_root: str | Path | None = None) -> Verdict:
    """Check a run whole; nothing is written, and it may be trained meanwhile.

    Its data are not read. Where a plugin that it needs is not here, all is checked but that it can be used.

    Args:
        run: its directory.
        registry: the components to build it from; all installed ones by default.
        data_root: where data sets lie.

    Raises:
        UserError: there is no run, or one of another format.
    """
    begun, path = time.monotonic(), Path(run)
    check_is_run(path)
    known, root = registry or Registry.discover(), None if data_root is None else Path(data_root)
    files = verify_files(path)
    unused = _unusable(path, files, known)
    which: tuple[Which, ...] = ("last", "best") if files.best else ("last",)
    used: list[Which] = []
    encoded = False
    for weights in which if not unused else ():
        try:
            encoded = _use(path, known, root, weights)
            used.append(weights)
        except DalikitError as error:
            files = replace(files, faults=(*files.faults, Fault(PLACES[weights], f"cannot be used: {error}")))
    return Verdict(path, files, tuple(used), encoded, unused, time.monotonic() - begun)


def _unusable(path: Path, files: Looked, registry: Registry) -> str:
    """Why no weights of a run can be used here, for which something is missing, or ""."""
    if any(fault.where in (CONFIG, FACTS) for fault in files.faults):
        return "what it is made of is not certain"
    if not files.checkpoints:
        return "it has no checkpoint that is whole"
    try:
        check_present(RunDirectory(path), registry, ("method", *RunDirectory(path).config.players))
    except AbsentError as error:
        return str(error)
    return ""


def _use(path: Path, registry: Registry, root: Path | None, weights: Which) -> bool:
    """Draw from a run's weights, and encode what was drawn where it infers; returns whether it does.

    Raises:
        DalikitError: they do not fit, a component fails, or what comes out is not finite.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is damaged or edited: each is a fault already
        model = load(path, registry=registry, data_root=root, weights=weights)
    method = model.method
    drawn = RandomState.seeded(0)
    with naming(Suspects(method, *vars(method).values())), torch.no_grad(), drawn.swapped_in():
        z, y = method.prior(SAMPLES), method.draw_labels(SAMPLES)
        x = method.generate(z, y)
        codes = method.code(x, y) if method.infers else None
    for what, found in (("samples", x), ("codes of samples", codes)):
        if found is not None and not bool(found.isfinite().all()):
            raise RunError(f"{what} of {describe(method)} are not finite")
    return codes is not None
