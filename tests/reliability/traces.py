"""What a run leaves behind, so that it can be held against what another left: bit by bit, but for times."""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

JUNK = (".unfinished", ".removed", ".earlier", ".damaged")
"""How names end of what should be gone, once a run has ended."""


def records(run: Path) -> list[dict[str, Any]]:
    """The log without times."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "time"} for line in lines]


def weights(folder: Path) -> dict[str, str]:
    """A digest of every tensor in a folder of weights: players, averages, moments, sums."""
    return {
        f"{path.name}/{name}": digest(str(tensor.dtype).encode() + tensor.contiguous().numpy().tobytes())
        for path in folder.glob("*.safetensors")
        for name, tensor in load_file(path).items()
    }


def digest(content: bytes) -> str:
    """The SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def last_of(run: Path, parent: str) -> Path:
    """The folder of the last step among checkpoints, or among the best weights."""
    return sorted((run / parent).glob("step-*[0-9]"))[-1]


def trace(run: Path) -> dict[str, Any]:
    """All that two runs of the same settings must have in common, by name."""
    last, best = last_of(run, "checkpoints"), last_of(run, "best")
    own = {"run": "", "identity": "", "sha256": ""}  # the last is over the two that are each run's own
    return {
        "last": last.name,
        "weights": weights(last),
        "state": _state(last),
        "best": (best.name, (best / "best.json").read_text(), weights(best)),
        "log": [list(record.items()) for record in records(run)],  # in their order, too
        "scores": {**json.loads((run / "scores.json").read_text()), **own},
        "pictures": {str(p.relative_to(run)): digest(p.read_bytes()) for p in run.rglob("*.png")},
        "config": (run / "config.yaml").read_text(),
    }


def _state(folder: Path) -> dict[str, Any]:
    """All of it but what those have read last that read at a stop too, and log nothing of it."""
    state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    for readers in ("seen", "last", "step"):
        for reader in ("progress", "checkpoint"):
            state["terms"][readers].pop(reader, None)
    return state


def differences(a: Path, b: Path, but: Collection[str] = ()) -> list[str]:
    """In which parts of their traces two runs differ."""
    ours, theirs = trace(a), trace(b)
    return [name for name in ours if name not in but and ours[name] != theirs[name]]


def left_over(run: Path) -> list[str]:
    """Names of what a process left that was in the middle of something."""
    return sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.name.endswith(JUNK))
