"""A weight that sets itself: a term pulls on what was generated `ratio` times as a game does.

Symbols: x̃ (B, *X) what was generated; g_b = ∂L/∂x̃_b of a loss L, a mean over the batch.

    λ = ratio · rms_{b,t} ‖g_b(game)‖ / max(gm_t rms_b ‖g_b(term)‖, rms_b ‖g_b(term)‖)

The game's pull is its root mean square over the training so far: a game that has converged hardly pulls, and
codes would be forgotten if they pulled no more than that. The term's is a running geometric mean, which a
posterior that is surprised for a moment, and then pulls a thousand times as hard, does not move for long; and
it is no less than what was measured last, so that G does not follow such a moment.

Source: DALI, sections 3.4 and 4, where λ is to bring the two parts of its objective to the same scale. The
ratio of gradients as a weight: Esser et al. 2021, "Taming Transformers for High-Resolution Image Synthesis",
(7), there at a decoder's last layer and anew in each step.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn


def _no_less_than_nothing(weight: float | str) -> float | str:
    if isinstance(weight, float) and weight < 0:
        raise ValueError("a weight is 0 at least, or the word balanced")
    return weight


Weight = Annotated[float | Literal["balanced"], AfterValidator(_no_less_than_nothing)]
"""A parameter that takes a number, or the word for one that sets itself."""

Ratio = Annotated[float, Field(gt=0)]

EVERY = 4
"""Iterations from one measurement to the next: λ moves slowly, and each costs two passes back through D."""

DECAY = 0.99
"""Of the term's running mean, a measurement; the first hundred weigh the same."""


MOST = 1e4
"""A weight at most, for what hardly pulls yet would fill the optimizer's moments; 1 before anything pulls."""


def mean_square_pull(loss: Tensor, at: Tensor) -> Tensor:
    """mean_b ‖∂loss/∂at_b‖², a scalar, for at (B, *X) in the graph of `loss`, which is kept."""
    (gradient,) = torch.autograd.grad(loss, at, retain_graph=True)
    return gradient.flatten(1).square().sum(1).mean()


class Balance(nn.Module):
    """The weight of a term beside a game: a number, or what the rule above gives by running means.

    What it is made of lies in buffers: it is part of a training's state.

    Args:
        weight: a number, or `balanced`.
        ratio: how hard the term pulls beside the game, where it is balanced.
    """

    pulls: Tensor
    """Of log rms ‖g(term)‖ the running mean, of ‖g(game)‖² the mean, and the last rms ‖g(term)‖ (3,)."""

    count: Tensor
    """Measurements."""

    def __init__(self, weight: float | str, ratio: float) -> None:
        super().__init__()
        self.weight = None if weight == "balanced" else float(weight)
        self.ratio = ratio
        self._measuring = False
        if self.moves:
            self.register_buffer("pulls", torch.ones(3))
            self.register_buffer("count", torch.zeros(()))

    @property
    def moves(self) -> bool:
        """Whether the weight sets itself."""
        return self.weight is None

    def forward(self, term: Tensor, game: Tensor, at: Tensor, judged: Tensor | None = None) -> Tensor | float:
        """The weight of `term`, a scalar that depends on at (B, *X), beside the loss `game`.

        The game depends on judged (B', *X), which is `at` unless told. In a measured phase both gradients are
        taken in first.
        """
        if self.weight is not None:
            return self.weight
        if self._measuring:
            found = [mean_square_pull(term, at), mean_square_pull(game, at if judged is None else judged)]
            self._take(torch.stack(found))
        usual, game_pull, latest = self.pulls
        weight = self.ratio * game_pull.sqrt() / torch.maximum(usual.exp(), latest)
        return torch.where(self.count > 0, weight.clamp(max=MOST), 1.0)

    @torch.no_grad()
    def _take(self, found: Tensor) -> None:
        """Go on with the means, but for a term that does not pull yet: an encoder that begins with zeros."""
        term, game = found
        self.count += term > 0
        share = 1 / self.count.clamp(min=1)
        usual = self.pulls[0].lerp(0.5 * term.log(), share.clamp(min=1 - DECAY))
        moved = torch.stack([usual, self.pulls[1].lerp(game, share), term.sqrt()])
        self.pulls.copy_(torch.where(term > 0, moved, self.pulls))

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Measure whenever the weight is asked for inside the block."""
        self._measuring = True
        try:
            yield
        finally:
            self._measuring = False
