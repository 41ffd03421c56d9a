"""The mean squared error of reconstructions G(code(x)).

Source: DALI, section 4.1 and table 1; its figures are on [0, 1], those it quotes for ALI and ALICE on
[-1, 1], four times as large for the same pictures. Both are given here.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from dalikit.evaluation import scoring
from dalikit.functional.ranges import to_unit
from dalikit.hookspecs import offer
from dalikit.interfaces import Dataset, Headline, Method, Metric, Part, Score

DALIKIT_API = 2


class Reconstruction(Metric):
    """MSE per pixel of G(code(x)) against x: mean over data, and standard deviation over them.

    Bounded data are measured on [0, 1] (`mse_01`) and on [-1, 1] (`mse_pm1`), unbounded ones as they
    are (`mse`).
    """

    name = "reconstruction"

    def __init__(self, dataset: Dataset, part: Part = "test", /) -> None:
        self.dataset = dataset
        self.part = part
        self.errors: list[Tensor] = []

    @property
    def headline(self) -> Headline:  # type: ignore[override]
        """The error: on [0, 1] where data are bounded."""
        return (("mse" if self._range is None else "mse_01", "lower"),)

    def feed(self, method: Method) -> Iterator[tuple[Tensor, ...]]:
        """Batches x and x̂ = G(code(x)), both (b, *X)."""
        for x, y in scoring.data(self.dataset, self.part, method):
            yield x, method.generate(method.code(x, y), y)

    def update(self, *batch: Tensor) -> None:
        """Take in x and x̂."""
        x, reconstruction = (t if self._range is None else to_unit(t, self._range) for t in batch)
        self.errors.append((reconstruction - x).double().square().flatten(1).mean(1).cpu())

    def compute(self) -> Score:
        """The error over all data so far."""
        errors = torch.cat(self.errors)
        mean, std = float(errors.mean()), float(errors.std(correction=0))
        if self._range is None:
            values = {"mse": mean, "mse_std": std}
        else:
            values = {"mse_01": mean, "mse_01_std": std, "mse_pm1": 4 * mean, "mse_pm1_std": 4 * std}
        protocol = {
            "dataset": self.dataset.name,
            "part": self.part,
            "count": len(errors),
            "resolution": list(self.dataset.spec.x_shape),
            "code": "the method's code(x): the posterior's mean, unless its family says otherwise",
            "std": "over data",
        }
        return Score(self.name, values, protocol)

    def unfit(self, method: Method) -> str | None:
        """A method without an encoder reconstructs nothing."""
        return None if method.infers else f"method '{method.name}' has no encoder to reconstruct with"

    @property
    def _range(self) -> tuple[float, float] | None:
        return self.dataset.spec.value_range


dalikit_components = offer(Reconstruction)
