"""Losses and gradients that are not finite, seen before they reach the weights; no device is waited for."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from dalikit.errors import NonFiniteLossError
from dalikit.interfaces import Phase, PhaseLoss
from dalikit.training.terms import RunningTerms, values_of

HELPS = "A lower trainer.lr or a trainer.clip_norm may help"


class Guard:
    """Remembers the first update that must not be made, and keeps all that follow from being made.

    Where the processor computes itself, that ends training at once. A device is not waited for: a flag on it
    keeps optimizers from stepping, and `check` reads it where something is logged or saved.

    Args:
        device: where the method computes.
        waits: whether each update is waited for; on a CPU unless told.
    """

    def __init__(self, device: torch.device, waits: bool | None = None) -> None:
        self._phases: list[Phase] = []
        self._found = torch.zeros((), device=device)

        self._step, self._phase = (torch.zeros((), device=device, dtype=torch.int64) for _ in range(2))
        self._one = torch.ones((), device=device)
        self._waits = device.type == "cpu" if waits is None else waits

    def look(
        self,
        phase: Phase,
        step: int,
        loss: PhaseLoss,
        trained: Sequence[nn.Parameter],
        began: Callable[[], str] = str,
    ) -> Tensor | None:
        """See whether the phase's update of iteration `step`, from 1, may be made.

        Returns a flag on the device, 1 from the first update on that must not be made; None where all may.
        `began` is asked, where it must not, in which component what is not finite began.

        Raises:
            NonFiniteLossError: it must not, and that is known already.
        """
        before = self._found.clone()
        wrong = loss.total.detach().isfinite().logical_not()
        self._found.copy_(torch.maximum(self._found, wrong.to(self._found)))
        for gradients in _by_type([_numbers(p.grad) for p in trained if p.grad is not None]):
            # What GradScaler looks for overflows with: one pass, and the flag stays 1 once it is.
            torch._amp_foreach_non_finite_check_and_unscale_(gradients, self._found, self._one)
        if not self._waits:
            first = self._found > before
            self._step = torch.where(first, step, self._step)
            self._phase = torch.where(first, self._number(phase), self._phase)
            return self._found
        if self._found:
            values = {name: float(value.detach()) for name, value in values_of(loss).items()}
            raise NonFiniteLossError(_told(phase, step, values, began()))
        return None

    def check(self, terms: RunningTerms, began: Callable[[Phase], str] = lambda _: "") -> None:
        """Raise `NonFiniteLossError` if an update could not be made; waits for the device.

        `terms` are what phases have reported, and `began` is asked as that of `look` is.
        """
        if self._waits or not self._found:
            return
        phase = self._phases[int(self._phase)]
        raise NonFiniteLossError(_told(phase, int(self._step), terms.sums(phase), began(phase)))

    def _number(self, phase: Phase) -> int:
        """A phase as a number, for the device to keep."""
        names = [each.name for each in self._phases]
        if phase.name not in names:
            self._phases.append(phase)
            return len(names)
        return names.index(phase.name)


def _told(phase: Phase, step: int, values: Mapping[str, float], began: str) -> str:
    wrong = next((f"its {name} became {v}" for name, v in values.items() if not math.isfinite(v)), None)
    return f"Phase '{phase.name}': {wrong or 'a gradient is not finite'} in step {step}{began}. {HELPS}"


def _numbers(gradient: Tensor) -> Tensor:
    """A gradient's real numbers as they lie in memory, where it is sparse or complex too."""
    values = gradient._values() if gradient.is_sparse else gradient
    return torch.view_as_real(values) if values.is_complex() else values


def _by_type(gradients: Sequence[Tensor]) -> list[list[Tensor]]:
    types = dict.fromkeys(gradient.dtype for gradient in gradients)
    return [[gradient for gradient in gradients if gradient.dtype == each] for each in types]
