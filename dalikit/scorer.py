"""The digit scorer: a classifier of MNIST that stands in for Inception where images are digits.

It is trained once, by `dalikit scorer train mnist`, and kept under the data root. Symbols: N images, F
features, 10 classes. Images are uint8 (N, 1, 28, 28), or (N, 3, 28, 28) as grey PNG files arrive.

Source: Li et al. 2017, "ALICE", and its public scorer of MNIST: the network, the jittered copies and the
schedule are its own. Salimans et al. 2016, "Improved Techniques for Training GANs", section 4, for the score.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from dalikit import prepared
from dalikit.errors import RunError, UnfitError, UserError
from dalikit.interfaces import Dataset, Part
from dalikit.randomness import RandomState

FORMAT = "dalikit digit scorer 1"
CLASSES = 10
SIZE = 28
BATCH = 50
COPIES = 4
ANGLE, SHIFT = 15.0, 2.0  # degrees and pixels by which a jittered copy differs at most
LARGEST = 4096  # of a layer in a file that is loaded, so that a damaged one cannot ask for all memory

Labelled = tuple[Tensor, Tensor]
Track = Callable[[Sequence[Tensor], str], Iterable[Tensor]]


class DigitScorer(nn.Module):
    """Two convolutions and a hidden layer, on pixels in [-0.5, 0.5]."""

    def __init__(self, width: int = 32, features: int = 1024) -> None:
        super().__init__()
        # Pooling comes before the rectifier: the result is the same, at a quarter of the work.
        self.trunk = nn.Sequential(
            nn.Conv2d(1, width, 5, padding=2),
            nn.BatchNorm2d(width),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 5, padding=2),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * width * (SIZE // 4) ** 2, features),
            nn.BatchNorm1d(features),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(features, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, F) and logits (N, 10) of uint8 images; of RGB the mean of the channels counts.

        Raises:
            UnfitError: the images have another type or shape.
        """
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) not in {(1, SIZE, SIZE), (3, SIZE, SIZE)}:
            raise UnfitError(
                f"The digit scorer reads uint8 (N, 1 or 3, {SIZE}, {SIZE}), not {images.dtype} "
                f"{tuple(images.shape)}"
            )
        h = self.trunk(images.float().mean(1, keepdim=True) / 255 - 0.5)
        return h, self.head(self.dropout(h))

    @torch.no_grad()
    def logits(self, images: Tensor, batch: int = 500) -> Tensor:
        """Logits (N, 10) of any number of images, in eval mode, on the CPU."""
        self.eval()
        device = self.head.weight.device
        return torch.cat([self(chunk.to(device))[1].cpu() for chunk in images.split(batch)])


@dataclass(frozen=True)
class Facts:
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


def default_path() -> Path:
    """Where the scorer of MNIST lies."""
    return prepared.data_root() / "scorer-mnist.safetensors"


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save(scorer: DigitScorer, facts: Facts, path: Path) -> None:
    """Write the scorer, whole or not at all.

    Raises:
        RunError: the disk is full or the folder cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in scorer.state_dict().items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, unfinished, {"dalikit": json.dumps(asdict(facts))})
        unfinished.replace(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"Cannot write {path}: {error}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def load(path: Path | None = None, metric: str = "fidelity") -> tuple[DigitScorer, dict[str, Any]]:
    """The scorer in a file (the one under the data root by default), in eval mode, and its facts.

    `metric` is the one that wants it, for the hint where there is no file.

    Raises:
        UserError: the file is missing or damaged, or holds something else. Nothing in it is ever executed.
    """
    path = path or default_path()
    if not path.is_file():
        raise UserError(
            f"There is no digit scorer at {path}: train it by dalikit scorer train mnist, or name one with "
            f"metrics.{metric}.weights=FILE"
        )
    try:
        with safe_open(path, framework="pt") as file:
            facts = _checked_facts((file.metadata() or {}).get("dalikit", "null"))
            with torch.device("meta"):  # no weights are drawn, so the caller's random state stays
                scorer = DigitScorer(facts["width"], facts["features"])
            scorer.load_state_dict({n: file.get_tensor(n) for n in file.keys()}, assign=True)  # noqa: SIM118
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} cannot be used as a digit scorer: {reason}") from None
    weights = [t for t in scorer.state_dict().values() if t.dim()]  # all but the count of batches
    if not all(t.dtype == torch.float32 and bool(t.isfinite().all()) for t in weights):
        raise UserError(f"{path} cannot be used as a digit scorer: not all its values are finite float32")
    return scorer.eval().requires_grad_(False), facts


def _checked_facts(text: str) -> dict[str, Any]:
    facts = json.loads(text)
    if not isinstance(facts, dict) or facts.get("format") != FORMAT or facts.get("classes") != CLASSES:
        raise ValueError(f"its metadata do not say '{FORMAT}'")
    for name in ("width", "features"):
        if type(facts.get(name)) is not int or not 1 <= facts[name] <= LARGEST:
            raise ValueError(f"its {name} is {facts.get(name)!r}, a whole number up to {LARGEST} is needed")
    return facts


# --- training --------------------------------------------------------------------------------------------


def labelled(dataset: Dataset, part: Part) -> Labelled:
    """All uint8 images (N, *X) of one part, and their labels (N,).

    Raises:
        UserError: the data have no labels.
    """
    split = dataset.split(part)
    index = torch.arange(len(split))
    if (labels := split.labels(index)) is None:
        raise UserError(f"Data set '{dataset.name}' has no labels, from which alone a scorer can learn")
    return split.take(index, torch.Generator().manual_seed(0)), labels


def jittered(images: Tensor, chunk: int = 5000) -> Tensor:
    """A copy of uint8 images (N, 1, H, W), each shifted by up to ±2 pixels, then turned by up to ±15°."""
    copies = torch.empty_like(images)
    for part, out in zip(images.split(chunk), copies.split(chunk), strict=True):
        angle = (2 * torch.rand(len(part)) - 1) * math.radians(ANGLE)
        shift = (2 * torch.rand(len(part), 2) - 1) * (2 * SHIFT / images.shape[-1])
        cos, sin = angle.cos(), angle.sin()
        theta = torch.stack([cos, -sin, shift[:, 0], sin, cos, shift[:, 1]], 1).view(-1, 2, 3)
        grid = functional.affine_grid(theta, list(part.shape), align_corners=False)
        out.copy_(functional.grid_sample(part.float(), grid, align_corners=False).round().clamp(0, 255))
    return copies


def train(
    learn: Labelled,
    validation: Labelled,
    *,
    seed: int = 0,
    epochs: int = 10,
    device: torch.device | str = "cpu",
    width: int = 32,
    features: int = 1024,
    track: Track = lambda batches, what: batches,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[DigitScorer, float]:
    """A scorer as it was after its best epoch, and its accuracy on the validation part then.

    It repeats under its seed on one machine with one number of threads. `track` is handed each epoch's
    batches, for a progress bar; `tell` gets a line after each.
    """
    with RandomState.seeded(seed).swapped_in():
        scorer = DigitScorer(width, features).to(device).to(memory_format=torch.channels_last)
        images = torch.cat([learn[0], *(jittered(learn[0]) for _ in range(COPIES))])
        labels = learn[1].repeat(1 + COPIES)
        optimizer = torch.optim.Adam(scorer.parameters(), lr=1e-4, fused=True)
        decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)
        best, state = -1.0, scorer.state_dict()
        for epoch in range(1, epochs + 1):
            batches = torch.randperm(len(images)).split(BATCH)
            loss = _epoch(scorer, optimizer, images, labels, track(batches, f"Epoch {epoch} of {epochs}"))
            decay.step()
            found = accuracy(scorer, validation)
            tell(f"Epoch {epoch} of {epochs}: loss {loss:.4f}, validation accuracy {found:.4f}")
            if found > best:
                best, state = found, {name: t.clone() for name, t in scorer.state_dict().items()}
    scorer.load_state_dict(state)
    return scorer.eval(), best


def _epoch(
    scorer: DigitScorer,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    batches: Iterable[Tensor],
) -> float:
    """One pass over the batches; the mean loss."""
    scorer.train()
    device = scorer.head.weight.device
    losses = []
    for index in batches:
        _, logits = scorer(images[index].to(device))
        loss = functional.cross_entropy(logits, labels[index].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return float(torch.stack(losses).mean())


def accuracy(scorer: DigitScorer, data: Labelled) -> float:
    """The share of images whose greatest logit is that of their label."""
    images, labels = data
    return float((scorer.logits(images).argmax(1) == labels).double().mean())


def inception_score(logits: Tensor, splits: int = 10, *, shuffled: bool = True) -> tuple[float, float]:
    """Mean and standard deviation over `splits` of exp E KL(p(y|x) ‖ p(y)), from logits (N, 10).

    torch-fidelity shuffles before it splits, unless told; images of a data set's file are often in order.
    """
    from torch_fidelity.metric_isc import isc_features_to_metric

    found = isc_features_to_metric(logits, splits, shuffled)
    return found["inception_score_mean"], found["inception_score_std"]
