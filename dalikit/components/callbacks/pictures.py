"""Sample and reconstruction grids as PNG files, through training."""

from itertools import repeat
from typing import Annotated

import torch
from PIL import Image
from pydantic import Field

from dalikit import pictures
from dalikit.evaluation import scoring
from dalikit.hookspecs import offer
from dalikit.interfaces import Batch, Callback, Fit
from dalikit.randomness import RandomState
from dalikit.runs import Context

DALIKIT_API = 2

SEED = 0


class Pictures(Callback):
    """Draws samples, always from the same codes, and validation data beside their reconstructions.

    Args:
        every: steps between two pictures; the start and the end are always drawn.
        count: images in a grid.
    """

    name = "pictures"

    def __init__(
        self,
        context: Context,
        /,
        *,
        every: Annotated[int, Field(ge=1)] = 500,
        count: Annotated[int, Field(ge=1, le=10_000)] = 64,
    ) -> None:
        self.run = context.run
        self.dataset = context.dataset
        self.spec = context.dataset.spec
        self.every = every
        self.count = count

    def fit_start(self, fit: Fit) -> None:
        """Draw what untrained networks make."""
        if fit.step == 0:
            self._draw(fit)

    def step_end(self, fit: Fit) -> None:
        """Draw when it is due, and what training has ended with."""
        if fit.step % self.every == 0 or fit.step == fit.steps:
            self._draw(fit)

    @torch.no_grad()
    def _draw(self, fit: Fit) -> None:
        if not pictures.drawable(self.spec):
            return
        fit.losses(self.name)  # raises where they are not finite: pictures of NaN show nothing
        method = fit.inference
        data = self._data(fit)
        with RandomState.seeded(SEED).swapped_in():
            samples = torch.cat(list(scoring.samples(method, pictures.count(self.spec, self.count))))
        title = f"Samples, step {fit.step:,}"
        if self.spec.value_range is None:
            title += ". Grey: validation data; blue: samples"
        self._save("samples", fit, pictures.draw(samples, self.spec, data.x, title=title))
        if method.infers:
            size = scoring.batch_size(self.spec.x_shape)
            labels = repeat(None) if data.y is None else data.y.split(size)
            parts = zip(data.x.split(size), labels, strict=False)
            again = torch.cat([method.generate(method.code(x, y), y) for x, y in parts])
            legend = pictures.pairs_legend(self.spec, "validation data")
            title = f"Reconstructions, step {fit.step:,}. {legend}"
            drawn = pictures.draw_pairs(data.x, again, self.spec, title=title)
            self._save("reconstructions", fit, drawn)

    def _data(self, fit: Fit) -> Batch:
        """Validation data that fill half a picture."""
        size = pictures.count(self.spec, max(1, self.count // 2))
        batches = list(scoring.data(self.dataset, "validation", fit.inference, size))
        labels = [batch.y for batch in batches if batch.y is not None]
        return Batch(torch.cat([batch.x for batch in batches]), torch.cat(labels) if labels else None)

    def _save(self, folder: str, fit: Fit, picture: Image.Image) -> None:
        self.run.check_there()
        place = f"{folder}/step-{fit.step:06d}.png"
        pictures.save(picture, self.run.path / place)
        fit.log({"event": "picture", "step": fit.step, "path": place})


dalikit_components = offer(Pictures)
