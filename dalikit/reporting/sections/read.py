"""How much of each entry of a code is read back from what was generated from it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dalikit.data.inputs import Prepared
from dalikit.evaluation import scoring
from dalikit.functional import likeness
from dalikit.randomness import RandomState
from dalikit.reporting import charts
from dalikit.reporting.blocks import Block, Chart, Charts, Prose
from dalikit.reporting.section import Inferred
from dalikit.reporting.use import SEED, Use

COUNT = 512
"""Codes that are drawn at most."""


class Read(Inferred):
    """The read share of each entry, 1 - MSE / variance of code(G(z)) against z, 0 at the least."""

    key, title = "read", "What is read of codes"
    lead = (
        "Of each entry of z, the share of its variance that the encoder reads back from G(z): "
        "1 - MSE / variance. An entry near 0 changes nothing that the encoder sees, or is noise to it."
    )

    def inferred(self, use: Use) -> Sequence[Block]:
        """A bar for each entry."""
        shares = _shares(use)
        mean, half = float(shares.mean()), int((shares > 0.5).sum())
        told = f"{mean:.0%} on average; {half} of {len(shares)} entries are read by more than a half."
        spec = charts.bars(shares.tolist(), "entry of z", "read")
        chart = Chart("Read share by entry", spec, f"Bar chart of the read share of each entry of z. {told}")
        return Prose(told), Charts("", [chart], large=True)


@torch.no_grad()
def _shares(use: Use) -> Tensor:
    model = use.model
    count = min(COUNT, max(128, scoring.batch_size(model.spec.x_shape)))
    with RandomState.seeded(SEED).swapped_in():
        z, labels = model.method.prior(count), model.method.draw_labels(count)
    x = model.generate(z, labels)
    return likeness.read(z, model.code(Prepared(x), labels)).cpu()
