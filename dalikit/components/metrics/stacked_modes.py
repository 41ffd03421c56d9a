"""Modes captured of stacked MNIST, and how far they are from being equally frequent.

Each channel of a sample is classified by the digit scorer; the three digits are its mode, one of 1,000.

Source: Metz et al. 2016, "Unrolled Generative Adversarial Networks", section 3.3.1; Srivastava et al. 2017,
"VEEGAN", table 2 (26,000 samples).
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from dalikit.errors import UnfitError, UserError
from dalikit.evaluation import scorer, scoring
from dalikit.functional.ranges import to_uint8
from dalikit.hookspecs import offer
from dalikit.interfaces import Dataset, Method, Metric, Part, Range, Score

DALIKIT_API = 2

MODES = 1000


class StackedModes(Metric):
    """Modes captured (a count of 1,000) and KL(samples' modes ‖ uniform), in nats, of `count` samples.

    Args:
        count: of samples.
        weights: file of the digit scorer, the one under the data root unless named.

    Raises:
        UnfitError: the data are no three stacked images of 28×28.
    """

    name = "stacked-modes"
    headline = (("modes", "higher"), ("kl", "lower"))

    def __init__(
        self,
        dataset: Dataset,
        part: Part = "test",
        root: Path | None = None,
        /,
        *,
        count: Annotated[int, Field(ge=1, le=1_000_000)] = 26_000,
        weights: str = "",
    ) -> None:
        spec = dataset.spec
        if tuple(spec.x_shape) != (3, scorer.SIZE, scorer.SIZE) or spec.value_range is None:
            raise UnfitError(
                f"metric 'stacked-modes' reads three stacked digits (3, 28, 28), as of stacked-mnist; data "
                f"set '{dataset.name}' has {tuple(spec.x_shape)}"
            )
        self.dataset = dataset
        self.value_range: Range = spec.value_range
        self.count = count
        self.path = Path(weights) if weights else scorer.default_path(root)
        self.found = torch.zeros(MODES, dtype=torch.int64)

    def feed(self, method: Method) -> Iterator[tuple[Tensor, ...]]:
        """Batches of samples (b, 3, 28, 28)."""
        self._scorer[0].to(scoring.device_of(method))
        return ((x,) for x in scoring.samples(method, self.count))

    def update(self, *batch: Tensor) -> None:
        """Take in samples (b, 3, 28, 28)."""
        (x,) = batch
        channels = to_uint8(x, self.value_range).flatten(0, 1)[:, None]
        digits = self._scorer[0].logits(channels).argmax(1).view(-1, 3)
        modes = (digits * torch.tensor([100, 10, 1])).sum(1)
        self.found += torch.bincount(modes, minlength=MODES)

    def compute(self) -> Score:
        """The count over all samples so far."""
        total = int(self.found.sum())
        share = self.found[self.found > 0].double() / total
        values = {"modes": len(share), "kl": float((share * (share * MODES).log()).sum())}
        facts = self._scorer[1]
        protocol = {
            "dataset": self.dataset.name,
            "samples": total,
            "of_modes": MODES,
            "kl": "samples' modes against the uniform distribution, in nats",
            "scorer_sha256": facts["sha256"],
            "scorer_accuracy": facts["accuracy"],
        }
        return Score(self.name, values, protocol)

    def unfit(self, method: Method) -> str | None:
        """Without a scorer nothing can be counted."""
        try:
            self._scorer  # noqa: B018 - loaded for the error alone
        except UserError as error:
            return str(error)
        return None

    @cached_property
    def _scorer(self) -> tuple[scorer.DigitScorer, dict[str, Any]]:
        return scorer.load(self.path, self.name)


dalikit_components = offer(StackedModes)
