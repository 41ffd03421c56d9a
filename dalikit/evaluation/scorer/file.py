"""The digit scorer's file: safetensors, with facts about the scorer as its metadata."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file

from dalikit.data import prepared
from dalikit.errors import RunError, UserError
from dalikit.evaluation.scorer.network import CLASSES, DigitScorer
from dalikit.evaluation.weights import WeightsFile
from dalikit.files import whole_or_not

FORMAT = "dalikit digit scorer 1"
LARGEST = 4096  # of a layer in a file that is loaded, so that a damaged one cannot ask for all memory


@dataclass(frozen=True)
class ScorerFacts:
    """What is stored beside the weights: sizes, what it learned from, and how well it does."""

    width: int
    features: int
    data: str
    seed: int
    epochs: int
    accuracy: float
    validation_accuracy: float
    isc_mean: float
    isc_std: float
    isc_in_order_mean: float
    isc_in_order_std: float
    isc_count: int
    format: str = FORMAT
    classes: int = CLASSES


def default_path(root: Path | None = None) -> Path:
    """Where the scorer of MNIST lies, under the data root."""
    return (root or prepared.data_root()) / "scorer-mnist.safetensors"


def save(scorer: DigitScorer, facts: ScorerFacts, path: Path) -> None:
    """Write the scorer, whole or not at all.

    Raises:
        RunError: the disk is full or the folder cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in scorer.state_dict().items()}
    try:
        with whole_or_not(path) as unfinished:
            save_file(tensors, unfinished, {"dalikit": json.dumps(asdict(facts))})
    except (OSError, SafetensorError) as error:
        raise RunError(f"Cannot write {path}: {error}") from None


def load(path: Path | None = None, metric: str = "fidelity") -> tuple[DigitScorer, dict[str, Any]]:
    """The scorer in a file (the one under the data root by default), in eval mode, and its facts.

    Among those is the `sha256` of the bytes that it was made of. `metric` is the one that wants it, for the
    hint where there is no file.

    Raises:
        UserError: the file is missing or damaged, or holds something else. Nothing in it is ever executed.
    """
    path = path or default_path()
    if not path.is_file():
        raise UserError(
            f"There is no digit scorer at {path}: train it by dalikit scorer train mnist, or name one with "
            f"metrics.{metric}.weights=FILE"
        )
    file = WeightsFile.read(path)
    try:
        tensors = load_tensors(file.content)
        facts = _checked_facts(_metadata(file.content).get("dalikit", "null"))
        with torch.device("meta"):  # no weights are drawn, so the caller's random state stays
            scorer = DigitScorer(facts["width"], facts["features"])
        scorer.load_state_dict(tensors, assign=True)
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} cannot be used as a digit scorer: {reason}") from None
    weights = [t for t in scorer.state_dict().values() if t.dim()]  # all but the count of batches
    if not all(t.dtype == torch.float32 and bool(t.isfinite().all()) for t in weights):
        raise UserError(f"{path} cannot be used as a digit scorer: not all its values are finite float32")
    return scorer.eval().requires_grad_(False), {**facts, "sha256": file.sha256}


def _metadata(content: bytes) -> dict[str, str]:
    """What a safetensors file says beside its tensors, in a header of JSON before which its length stands."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]).get("__metadata__") or {}


def _checked_facts(text: str) -> dict[str, Any]:
    facts = json.loads(text)
    if not isinstance(facts, dict) or facts.get("format") != FORMAT or facts.get("classes") != CLASSES:
        raise ValueError(f"its metadata do not say '{FORMAT}'")
    for name in ("width", "features"):
        if type(facts.get(name)) is not int or not 1 <= facts[name] <= LARGEST:
            raise ValueError(f"its {name} is {facts.get(name)!r}, a whole number up to {LARGEST} is needed")
    return facts
