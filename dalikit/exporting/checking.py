"""Whether what was written computes what the model does: it is run, and held against it."""

from itertools import chain

import torch

from dalikit.errors import RunError
from dalikit.exporting.formats import Exported
from dalikit.exporting.parts import Part, examples

TOLERANCE = 1e-4
"""How far an output may be off, as a share of the model's own greatest value where that is above 1."""

BATCHES = (1, 5)


@torch.no_grad()
def difference(part: Part, exported: Exported) -> float:
    """The largest difference of any output from the model's, of batches of 1 and of 5.

    Raises:
        RunError: it is more than `TOLERANCE`, or an output is missing or of another shape.
    """
    pairs = chain.from_iterable(_pairs(part, exported, n) for n in BATCHES)
    found = [float(((ours - theirs).abs() / ours.abs().max().clamp_min(1)).max()) for ours, theirs in pairs]
    largest = max(found, key=lambda off: off if off == off else float("inf"))  # NaN is the largest of all
    if not largest <= TOLERANCE:
        raise RunError(
            f"Part '{part.name}' of method '{part.method.name}' was exported, and differs by {largest:.2g} "
            f"from the model, where {TOLERANCE:g} is allowed: nothing was written"
        )
    return largest


def _pairs(part: Part, exported: Exported, n: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The model's outputs and the exported ones, by name, for n data."""
    given = examples(part, n, seed=n)
    ours, theirs = part(*given), exported(*given)
    for name, tensor in ours.items():
        if name not in theirs or theirs[name].shape != tensor.shape:
            raise RunError(
                f"Part '{part.name}' of method '{part.method.name}' was exported, and its '{name}' is not of "
                f"shape {tuple(tensor.shape)}: nothing was written"
            )
    return [(tensor, theirs[name]) for name, tensor in ours.items()]
