"""Walks between test data, in a straight line between their codes."""

from collections.abc import Sequence

from dalikit.reporting.blocks import Block
from dalikit.reporting.section import Inferred
from dalikit.reporting.use import Use


class Interpolations(Inferred):
    """G along the line from one code to another."""

    key, title = "interpolations", "Interpolations"
    lead = (
        "From one test datum to another, in a straight line between their codes: from the reconstruction of "
        "the first to that of the second."
    )

    def inferred(self, use: Use) -> Sequence[Block]:
        """One picture."""
        drawing = use.drawing
        test = use.data("test", 2 * drawing.rows)
        n = len(test.x) // 2
        first, second = test.some(slice(n)), test.some(slice(n, 2 * n))
        walk = use.model.interpolate(first.ready, second.ready, drawing.steps, first.labels, second.labels)
        return (drawing.series(first.x, walk, "Walks between pairs of test data"),)
