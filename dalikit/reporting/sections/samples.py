"""What the generator makes of codes that are drawn from the prior."""

from collections.abc import Sequence

from dalikit.reporting.blocks import Block
from dalikit.reporting.section import Drawn
from dalikit.reporting.use import SEED, Use


class Samples(Drawn):
    """Samples of the last weights."""

    key, title = "samples", "Samples"
    lead = "Generated from codes that are drawn from the prior. None were chosen."

    def drawn(self, use: Use) -> Sequence[Block]:
        """One picture."""
        drawing = use.drawing
        x = use.model.sample(drawing.samples, SEED)
        return (drawing.sheet(x, f"{drawing.samples} samples, by the weights of step {use.step:,}"),)
