"""The running means of what the phases report, kept on the device until somebody asks."""

import math

import torch
from torch import Tensor

from dalikit.errors import NonFiniteLossError
from dalikit.interfaces import Phase, PhaseLoss


class RunningTerms:
    """Sums of each phase's total and terms. A NaN or infinity in one of many steps stays in its sum."""

    def __init__(self) -> None:
        self.since = 0
        self._sums: dict[tuple[str, str], Tensor] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._last: dict[str, float] = {}

    def add(self, phase: Phase, loss: PhaseLoss) -> None:
        """Take in what one step of `phase` found, without waiting for it."""
        for term, value in [*loss.terms.items(), ("total", loss.total.detach())]:
            key = (phase.name, term)
            self._sums[key] = self._sums[key] + value if key in self._sums else value
            self._counts[key] = self._counts.get(key, 0) + 1

    def read(self, step: int) -> dict[str, float]:
        """The means since the last reading by `phase/term`; where nothing is new, that reading again.

        Raises:
            NonFiniteLossError: a value was not finite; the message says of which phase, term and steps.
        """
        if not self._sums:
            return self._last
        values = torch.stack([value.double() for value in self._sums.values()]).tolist()
        means = {key: v / self._counts[key] for key, v in zip(self._sums, values, strict=True)}
        for (phase, term), mean in means.items():
            if not math.isfinite(mean):
                raise NonFiniteLossError(
                    f"Phase '{phase}': its {term} became {mean} in steps {self.since + 1} to {step}. "
                    "A lower trainer.lr or a trainer.clip_norm may help."
                )
        self._last = {f"{phase}/{term}": mean for (phase, term), mean in means.items()}
        self._sums, self._counts, self.since = {}, {}, step
        return self._last
