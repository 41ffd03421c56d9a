"""The digit scorer's training, and what it finds on images with known labels.

Symbols: N images, X the shape of one. Labelled data are uint8 images (N, *X) and labels (N,) int64.

Source: Li et al. 2017, "ALICE", and its public scorer of MNIST: the jittered copies and the schedule are its
own. Salimans et al. 2016, "Improved Techniques for Training GANs", section 4, for the score.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dalikit.errors import UserError
from dalikit.evaluation.scorer.network import DigitScorer
from dalikit.interfaces import Dataset, Part
from dalikit.randomness import RandomState

BATCH = 50
COPIES = 4
ANGLE, SHIFT = 15.0, 2.0  # degrees and pixels by which a jittered copy differs at most

Labelled = tuple[Tensor, Tensor]
Track = Callable[[Sequence[Tensor], str], Iterable[Tensor]]


def read_labelled(dataset: Dataset, part: Part) -> Labelled:
    """All uint8 images (N, *X) of one part, and their labels (N,).

    Raises:
        UserError: the data have no labels.
    """
    split = dataset.split(part)
    images, labels = split.take(torch.arange(len(split)), torch.Generator().manual_seed(0))
    if labels is None:
        raise UserError(f"Data set '{dataset.name}' has no labels, from which alone a scorer can learn")
    return images, labels


def jitter(images: Tensor, chunk: int = 5000) -> Tensor:
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
        images = torch.cat([learn[0], *(jitter(learn[0]) for _ in range(COPIES))])
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
