"""Adam and the losses of the logistic game, written out: what restatements of an iteration are made of."""

import torch
from torch import Tensor


def softplus(t: Tensor) -> Tensor:
    """log(1 + exp t)."""
    return torch.log1p(torch.exp(-t.abs())) + t.clamp(min=0)


class Adam:
    """Kingma and Ba 2014, algorithm 1, on a list of parameters that it changes in place."""

    def __init__(self, parameters, rate: float, betas: tuple[float, float]) -> None:
        self.parameters = list(parameters)
        self.rate, self.betas, self.step_count = rate, betas, 0
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]

    def step(self, loss: Tensor, **options) -> None:
        """One step on the gradient of `loss`; parameters it does not depend on stay."""
        slopes = torch.autograd.grad(loss, self.parameters, allow_unused=True, **options)
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
