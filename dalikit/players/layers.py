"""Layers that networks share."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

Wrap = Callable[[nn.Module], nn.Module]


def weight_norm(norm: str) -> Wrap:
    """What a layer is wrapped in: spectral norm where `norm` is "spectral", and nothing else otherwise.

    Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks".
    """
    return spectral_norm if norm == "spectral" else _as_it_is


def _as_it_is(layer: nn.Module) -> nn.Module:
    return layer


class Divide(nn.Module):
    """Divides by a constant, so that a network sees data of about unit size."""

    def __init__(self, divisor: float) -> None:
        super().__init__()
        self.divisor = divisor

    def forward(self, x: Tensor) -> Tensor:
        """x / divisor, of any shape."""
        return x / self.divisor


class Squeeze(nn.Module):
    """Logits (B, 1) as (B,): how a discriminator's head ends."""

    def forward(self, logits: Tensor) -> Tensor:
        """(B,) of (B, 1)."""
        return logits.squeeze(1)


class SeparateHeads(nn.ModuleList):
    """For each of an encoder's heads a network of its own: one hidden layer, and a linear one.

    Source: DALI, section 4, whose encoder has separate fully connected networks for mean and variance.
    """

    def __init__(
        self, inputs: int, hidden: int, sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU
    ) -> None:
        super().__init__(
            nn.Sequential(nn.Linear(inputs, hidden), activation(), nn.Linear(hidden, size)) for size in sizes
        )

    def forward(self, h: Tensor) -> tuple[Tensor, ...]:
        """Map h (B, inputs) to one tensor (B, size) a head."""
        return tuple(head(h) for head in self)


def dense(inputs: int, width: int) -> nn.Sequential:
    """Three dense layers, (B, inputs) to (B, 1)."""
    return nn.Sequential(
        *(nn.Linear(inputs, width), nn.LeakyReLU(0.2)),
        *(nn.Linear(width, width), nn.LeakyReLU(0.2)),
        nn.Linear(width, 1),
    )
