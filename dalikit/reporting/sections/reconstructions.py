"""Test data, and what is generated from their codes."""

from collections.abc import Sequence

from dalikit.reporting.blocks import Block
from dalikit.reporting.section import Inferred
from dalikit.reporting.use import Use


class Reconstructions(Inferred):
    """G(code(x)) beside x."""

    key, title = "reconstructions", "Reconstructions"
    lead = "Data of the test part, which training never read, and what is generated from their codes."

    def inferred(self, use: Use) -> Sequence[Block]:
        """One picture."""
        drawing = use.drawing
        test = use.data("test", drawing.pairs)
        again = use.model.reconstruct(test.ready, test.labels)
        return (drawing.beside(test.x, again, "Test data and their reconstructions"),)
