"""Layers that networks share."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dalikit.errors import UnfitError
from dalikit.interfaces import Shape

Wrap = Callable[[nn.Module], nn.Module]

SMALLEST = 4
"""The shorter side at which networks of images start to grow, or cease to halve, at most."""


def weight_norm(norm: str) -> Wrap:
    """What a layer is wrapped in: spectral norm where `norm` is "spectral", and nothing else otherwise.

    Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks".
    """
    return spectral_norm if norm == "spectral" else _as_it_is


def _as_it_is(layer: nn.Module) -> nn.Module:
    return layer


def doublings(height: int, width: int) -> list[tuple[int, int]]:
    """The sizes (H, W) by which a generator grows to one, from that whose shorter side is 4 or less.

    Each is half the next, rounded up.

    Examples:
        >>> doublings(28, 40)
        [(4, 5), (7, 10), (14, 20), (28, 40)]
    """
    smaller = doublings((height + 1) // 2, (width + 1) // 2) if min(height, width) > SMALLEST else []
    return [*smaller, (height, width)]


def image_shape(backbone: str, shape: Shape, least: int = 8) -> tuple[int, int, int]:
    """The shape (C, H, W) of data that are images with sides from `least` up.

    Raises:
        UnfitError: they are no images, or smaller; the text names the backbone that wants them.

    Examples:
        >>> image_shape("toy", (1, 24, 40))
        (1, 24, 40)
    """
    if len(shape) != 3 or min(shape[1:]) < least:
        raise UnfitError(
            f"Backbone '{backbone}' takes images (C, H, W) from {least}×{least} up; the data have "
            f"shape {shape}. Another backbone may fit: 'mlp' takes any shape"
        )
    channels, height, width = shape
    return channels, height, width


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
