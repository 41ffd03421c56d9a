"""Sample and reconstruction grids as PNG files, through training."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from dalikit import pictures
from dalikit.evaluation import scoring
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import Callback, Fit
from dalikit.randomness import RandomState
from dalikit.runs import Context

DALIKIT_API = 1

SEED = 0
POINTS = 2500


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
        count: Annotated[int, Field(ge=1)] = 64,
    ) -> None:
        self.run = context.run
        self.dataset = context.dataset
        self.every = every
        self.count = count
        self.points = context.dataset.value_range is None
        self._real: Tensor | None = None

    def fit_start(self, fit: Fit) -> None:
        """Draw what untrained networks make."""
        if fit.step == 0:
            self._draw(fit)

    def step_end(self, fit: Fit) -> None:
        """Draw when it is due."""
        if fit.step % self.every == 0 and fit.running:
            self._draw(fit)

    def fit_end(self, fit: Fit) -> None:
        """Draw what training ended with, unless that was an error."""
        if not fit.failed:
            self._draw(fit)

    @torch.no_grad()
    def _draw(self, fit: Fit) -> None:
        if not pictures.drawable(self.dataset.x_shape, self.dataset.value_range):
            return
        fit.losses()  # raises where they are not finite: pictures of NaN show nothing
        with RandomState.seeded(SEED).swapped_in():
            count = POINTS if self.points else self.count
            samples = torch.cat(list(scoring.samples(fit.inference, count, self.dataset.x_shape)))
        real = self._reference(fit)
        self._save("samples", fit, samples)
        if fit.inference.infers:
            parts = real.split(scoring.batch_size(self.dataset.x_shape))
            again = torch.cat([fit.inference.generate(fit.inference.code(x)) for x in parts])
            self._save("reconstructions", fit, again if self.points else pictures.pairs(real, again))

    def _reference(self, fit: Fit) -> Tensor:
        if self._real is None:
            count = POINTS if self.points else max(1, self.count // 2)
            batches = scoring.data(self.dataset, "validation", fit.inference, count)
            self._real = torch.cat(list(batches))
        return self._real

    def _save(self, folder: str, fit: Fit, x: Tensor) -> None:
        bounds = self.dataset.value_range
        picture = pictures.scatter(x, self._reference(fit)) if bounds is None else pictures.grid(x, bounds)
        pictures.save(picture, self.run.path / folder / f"step-{fit.step:06d}.png")


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the callback."""
    return [Pictures]
