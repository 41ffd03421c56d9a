"""Labels that are handed in: by index or by name, one for each datum or one for all."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dalikit.errors import UserError, nearest

Labels = Tensor | Sequence[int | str] | int | str
"""Labels (B,) by index or by name, or one for all."""

LISTED = 10
"""Labels that an error lists at most."""


def label_indices(labels: Labels, classes: Sequence[str], n: int) -> Tensor:
    """Labels (n,) int64 as indices of `classes`.

    Raises:
        UserError: one is not there, or there are more or fewer than data.
    """
    if isinstance(labels, Tensor) and (labels.dim() > 1 or labels.is_floating_point()):
        raise UserError(f"Labels are {labels.dtype} {tuple(labels.shape)}; whole numbers (B,) are needed")
    given = labels.tolist() if isinstance(labels, Tensor) else labels
    found = [given] * n if isinstance(given, int | str) else list(given)
    known = {name: i for i, name in enumerate(classes)} | {i: i for i in range(len(classes))}
    for label in found:
        if label not in known or isinstance(label, bool):
            hint = nearest(str(label), list(classes))
            some = [*classes[:LISTED], *(["…"] if len(classes) > LISTED else [])]
            raise UserError(f"There is no label '{label}'.{hint} Labels: {', '.join(some)}")
    if len(found) != n:
        raise UserError(f"{len(found)} labels are given for {n} data")
    return torch.tensor([known[label] for label in found], dtype=torch.int64)
