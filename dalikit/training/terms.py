"""What the phases report, summed on the device; each reader has the means since its own last look."""

import math
from typing import Any

import torch
from torch import Tensor

from dalikit.errors import NonFiniteLossError
from dalikit.interfaces import Phase, PhaseLoss


def values_of(loss: PhaseLoss) -> dict[str, Tensor]:
    """What a phase reports, its terms and what it minimises, by name."""
    return {**loss.terms, "total": loss.total}


class RunningTerms:
    """Sums of each phase's total and terms since training began, and where each reader last stood.

    A NaN or infinity in one of many steps stays in its sum.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._seen: dict[str, dict[str, tuple[float, int]]] = {}
        self._last: dict[str, dict[str, float]] = {}
        self._step: dict[str, int] = {}

    def add(self, phase: Phase, loss: PhaseLoss) -> None:
        """Take in what one step of `phase` found, without waiting for it and without its graph."""
        for term, value in values_of(loss).items():
            name = f"{phase.name}/{term}"
            found = value.detach().to(torch.float64 if value.device.type != "mps" else torch.float32)
            self._sums[name] = self._sums[name] + found if name in self._sums else found
            self._counts[name] = self._counts.get(name, 0) + 1

    def sums(self, phase: Phase) -> dict[str, float]:
        """The sum of each of the phase's terms since training began; waits for the device."""
        start = f"{phase.name}/"
        return {n.removeprefix(start): float(v) for n, v in self._sums.items() if n.startswith(start)}

    def read(self, reader: str, step: int) -> dict[str, float]:
        """The means since this reader's last reading, by `phase/term`; where nothing is new, that again.

        Raises as `check` does.
        """
        sums = self.check(step, self._step.get(reader, 0))
        if not sums:
            return {}
        seen = self._seen.setdefault(reader, {})
        means = dict(self._last.get(reader, {}))
        for name, total in sums.items():
            before, count = seen.get(name, (0.0, 0))
            if self._counts[name] > count:
                means[name] = (total - before) / (self._counts[name] - count)
                seen[name] = (total, self._counts[name])
        self._last[reader], self._step[reader] = means, step
        return means

    def check(self, step: int, since: int = 0) -> dict[str, float]:
        """The sums, by `phase/term`; no reading, of which the state would tell.

        Raises:
            NonFiniteLossError: a value was not finite; the message says of which phase, term and steps.
        """
        if not self._sums:
            return {}
        sums = dict(zip(self._sums, torch.stack(list(self._sums.values())).tolist(), strict=True))
        for name, total in sums.items():
            if not math.isfinite(total):
                phase, term = name.rsplit("/", 1)
                raise NonFiniteLossError(
                    f"Phase '{phase}': its {term} became {total} in steps {since + 1} to {step}. A lower "
                    "trainer.lr or a trainer.clip_norm may help."
                )
        return sums

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What to restore: the sums, and where readers stand."""
        scalars = {"counts": self._counts, "seen": self._seen, "last": self._last, "step": self._step}
        return self._sums, scalars

    def load(self, tensors: dict[str, Tensor], scalars: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self._counts = dict(scalars["counts"])
        self._sums = {name: tensors[name] for name in self._counts}  # in the order in which they are logged
        self._seen = {r: {n: tuple(v) for n, v in seen.items()} for r, seen in scalars["seen"].items()}
        self._last, self._step = dict(scalars["last"]), dict(scalars["step"])
