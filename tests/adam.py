"""Adam and the losses of the logistic game, written out: what restatements of an iteration are made of."""

import torch
from torch import Tensor, nn


def softplus(t: Tensor) -> Tensor:
    """log(1 + exp t)."""
    return torch.log1p(torch.exp(-t.abs())) + t.clamp(min=0)


class Adam:
    """Kingma and Ba 2014, algorithm 1, on the parameters of a module, which it changes in place."""

    def __init__(self, module: nn.Module, rate: float, betas: tuple[float, float]) -> None:
        self.parameters = list(module.parameters())
        self.rate, self.betas, self.step_count = rate, betas, 0
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]

    def move(self, slopes: list[Tensor | None]) -> None:
        """One step against `slopes`; a parameter without one stays."""
        self.step_count += 1
        b1, b2 = self.betas
        with torch.no_grad():
            for p, g, m, v in zip(self.parameters, slopes, self.first, self.second, strict=True):
                if g is None:
                    continue
                m.mul_(b1).add_(g, alpha=1 - b1)
                v.mul_(b2).add_(g * g, alpha=1 - b2)
                p -= (
                    self.rate
                    * (m / (1 - b1**self.step_count))
                    / ((v / (1 - b2**self.step_count)).sqrt() + 1e-8)
                )


def descend(loss: Tensor, *optimizers: Adam) -> None:
    """A step of each on the gradient of `loss`, taken before any of them moves."""
    parameters = [p for optimizer in optimizers for p in optimizer.parameters]
    slopes = list(torch.autograd.grad(loss, parameters, allow_unused=True))
    for optimizer in optimizers:
        own, slopes = slopes[: len(optimizer.parameters)], slopes[len(optimizer.parameters) :]
        optimizer.move(own)
