"""Test data, and what is generated from other codes of their posteriors (the paper's section 3.5)."""

from collections.abc import Sequence

from dalikit.reporting.blocks import Block
from dalikit.reporting.section import Inferred
from dalikit.reporting.use import SEED, Use


class Variations(Inferred):
    """G(z) for z drawn from q(z|x)."""

    key, title = "variations", "Variations"
    lead = (
        "Generated from codes that are drawn from the posterior q(z|x) of six test data: what the encoder "
        "takes to be the same."
    )

    def inferred(self, use: Use) -> Sequence[Block]:
        """One picture."""
        drawing = use.drawing
        test = use.data("test", drawing.rows)
        rows = use.model.vary(test.ready, drawing.variations, SEED, test.labels)
        return (drawing.series(test.x, rows, "Test data, each followed by variations of it"),)
