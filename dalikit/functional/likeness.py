"""How like each other two batches are: cheap measures, without features, on images and on points alike."""

import torch
from torch import Tensor


def diversity(x: Tensor, data: Tensor) -> float | None:
    """How diverse x (N, *X) is for each unit of diversity of `data` (M, *X): 0 where all x are one point.

    Compared are (n - 1), n being the effective number of different data in a batch, 1 / mean k(a, b), with
    k(a, b) = exp(-‖a - b‖² / h²), h half the median distance between data; None where data do not differ.
    Two far modes out of 25 count for two, which neither variance nor mean distance sees. Blurred images, near
    each other, count for fewer; that whole classes of images are missing is hardly seen.

    Source: Jalali, Li and Farnia 2023, "An Information-Theoretic Evaluation of Generative Models", equation
    (4), Rényi kernel entropy of order 2; k here is the square of its kernel.
    """
    known = distances(data, data)
    apart = known[~torch.eye(len(data), dtype=torch.bool, device=data.device)]
    if not len(apart) or not (scale := float(apart.median()) / 2):
        return None
    numbers = [1 / float((-((d / scale) ** 2)).exp().mean()) for d in (distances(x, x), known)]
    return max(0.0, numbers[0] - 1) / (numbers[1] - 1)


def distance(x: Tensor, data: Tensor) -> float:
    """The energy distance of x (N, *X) from `data` (M, *X), 0 for one distribution, at most 1.

    (2 E‖a - b‖ - E‖a - a'‖ - E‖b - b'‖) / (2 E‖a - b‖), a and a' of x, b and b' of `data`.

    Source: Székely and Rizzo 2013, "Energy statistics", section 2, its coefficient of inhomogeneity.
    """
    between = 2 * distances(x, data).mean()
    within = distances(x, x).mean() + distances(data, data).mean()
    return float((between - within) / between.clamp(min=torch.finfo(x.dtype).tiny))


def told_apart(real: Tensor, others: Tensor, bound: Tensor) -> tuple[float, float]:
    """The shares of logits `real` (N,) above `bound`, and of `others` (M,) below; ties count half."""
    return tuple(float((s.sign() + 1).mean() / 2) for s in (real - bound, bound - others))  # type: ignore[return-value]


def middle(real: Tensor, others: Tensor) -> Tensor:
    """Half-way between the medians of two batches of logits: a bound that means the same in every game."""
    return (real.median() + others.median()) / 2


def read(z: Tensor, codes: Tensor) -> Tensor:
    """The share (Z,) of each z_j in z (B, Z) that `codes` tell: 1 - MSE / variance, 0 at the least."""
    return (1 - (z - codes).square().mean(0) / z.var(0, correction=0)).clamp(min=0)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances (N, M) between rows of a (N, *X) and b (M, *X)."""
    return torch.cdist(a.flatten(1), b.flatten(1))
