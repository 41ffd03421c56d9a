"""ADA: adaptive discriminator augmentation, as strong as D's overfitting asks for.

Every transformation befalls each datum on its own with probability p, in this order; U uniform, N normal:

- mirrored with probability ½; turned by k·90°, k ~ U{0, 1, 2, 3}, or by k·180° where H ≠ W; moved by whole
  pixels, U(-⅛, ⅛) of each side.
- scaled by 2^N(0, 0.2²); turned by U(-π, π); stretched by s = 2^N(0, 0.2²) and 1/s; turned again; moved by
  N(0, (⅛)²) of each side. Each turn has probability 1 - √(1 - p), so that p is that of either.
- in units where the value range is [-1, 1]: brightness + N(0, 0.2²); contrast · 2^N(0, ½²); and where C = 3
  the luma flipped with probability ½; the hue turned by U(-π, π); saturation · 2^N(0, 1).

p starts at 0. At every n-th observation it moves by (images seen since the last one) / `images`: up where
r_t = E[sign D(real)] exceeds the target, down where it falls short, within [0, 1].

The paper's filters and corruptions in image space are left out: where data are few, it finds geometry and
colour to be what helps (figure 4). All geometry is one bilinear look-up, mirrored at the border, in place of
its wavelet-filtered one: turned and scaled images are a little softer.

Source: Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", sections 2.3 and 3,
and appendix B. `images` is its own, though its trainings are of 25 million: over 50 000 images p rose before
D had learned anything by heart, and samples came out worse (docs/results.md, small data).
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from dalikit.functional import transforms
from dalikit.functional.transforms import each, luma
from dalikit.hookspecs import offer
from dalikit.interfaces import Augmentation, DataSpec

DALIKIT_API = 2

Count = Annotated[int, Field(ge=1)]

SHARE = 0.125
"""How far images move, as a share of the side."""


def uniform(x: Tensor, low: float, high: float, *several: int) -> Tensor:
    """Draws (*several, B), one for each datum of x (B, …), in single precision, as are all places."""
    return low + (high - low) * torch.rand(*several, len(x), device=x.device, dtype=torch.float32)


def whole(x: Tensor, count: int) -> Tensor:
    """Draws (B,) from 0, …, count - 1."""
    return uniform(x, 0, count).floor()


def normal(x: Tensor, deviation: float, *several: int) -> Tensor:
    """Draws (*several, B) from N(0, deviation²)."""
    return deviation * torch.randn(*several, len(x), device=x.device, dtype=torch.float32)


class ADA(Augmentation):
    """ADA on images (C, H, W). Its buffer `p` is the probability, a scalar in [0, 1].

    Args:
        target: the r_t to hold, the mean sign of D's logits of real data.
        images: over how many real images p may move from 0 to 1.
        every: after how many of D's steps p is adjusted.
    """

    name = "ada"
    p: Tensor
    signs: Tensor
    seen: Tensor
    calls: Tensor

    def __init__(
        self,
        spec: DataSpec,
        /,
        *,
        target: Annotated[float, Field(gt=0, lt=1)] = 0.6,
        images: Count = 500_000,
        every: Count = 4,
    ) -> None:
        super().__init__()
        self.value_range = transforms.image_range(self.name, spec.x_shape, spec.value_range)
        self.target = target
        self.images = images
        self.every = every
        for state in ("p", "signs", "seen", "calls"):
            self.register_buffer(state, torch.zeros(()))

    @torch.no_grad()
    def observe(self, real: Tensor) -> None:
        """Count the signs of D's logits (B,) of real data, and adjust p if that is due.

        State is changed in place and nothing reads it back, so that a captured step does it too.
        """
        self.signs += real.sign().sum()
        self.seen += len(real)
        self.calls += 1
        due = self.calls >= self.every
        step = torch.sign(self.signs / self.seen - self.target) * self.seen / self.images
        self.p.copy_(torch.where(due, (self.p + step).clamp(0, 1), self.p))
        for count in (self.signs, self.seen, self.calls):
            count.mul_(~due)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W), augmented; a datum that nothing befalls is as it was."""
        return self.recoloured(self.moved(x))

    def moved(self, x: Tensor) -> Tensor:
        """x under the geometric transformations."""
        inverse = self.inverse(x)
        unmoved = (inverse == torch.eye(3, device=x.device)).all(-1).all(-1)
        return torch.where(each(unmoved), x, transforms.warp(x, inverse))

    def recoloured(self, x: Tensor) -> Tensor:
        """x in other colours."""
        brightness, contrast = self.some(normal(x, 0.2)), self.some(normal(x, 0.5))
        amounts = [brightness, contrast]
        y = (transforms.to_signed(x, self.value_range) + each(brightness)) * each(contrast.exp2())
        if x.shape[1] == 3:
            flip, saturation = self.some(whole(x, 2)), self.some(normal(x, 1.0))
            hue = self.some(uniform(x, -math.pi, math.pi))
            amounts += [flip, saturation, hue]
            y = transforms.turn_hue(y - 2 * each(flip) * luma(y), hue)
            y = transforms.spread(y, luma(y), saturation.exp2())
        unchanged = (torch.stack(amounts) == 0).all(0)
        return torch.where(each(unchanged), x, transforms.from_signed(y, self.value_range).to(x.dtype))

    def some(self, amount: Tensor, p: Tensor | None = None) -> Tensor:
        """Amounts (…, B) with probability p, the augmentation's unless told, for each datum, and else 0."""
        chosen = torch.rand(amount.shape[-1], device=amount.device) < (self.p if p is None else p)
        return amount * chosen

    def inverse(self, x: Tensor) -> Tensor:
        """The inverse (B, 3, 3) of the map drawn for each datum; the unit matrix where nothing is drawn."""
        return transforms.compose(*self._undo_exact(x), *self._undo_general(x))

    def _undo_exact(self, x: Tensor) -> list[Tensor]:
        """The inverses (B, 3, 3) of those that move pixels to pixels."""
        height, width = x.shape[2:]
        mirror = 1 - 2 * self.some(whole(x, 2))
        quarters = self.some(whole(x, 4) if height == width else 2 * whole(x, 2))
        right, down = self.some(uniform(x, -SHARE, SHARE, 2))
        return [
            transforms.scaling(mirror, torch.ones_like(mirror)),
            transforms.rotation(-math.pi / 2 * quarters),
            transforms.translation(-(right * width).round(), -(down * height).round()),
        ]

    def _undo_general(self, x: Tensor) -> list[Tensor]:
        """The inverses (B, 3, 3) of the others."""
        height, width = x.shape[2:]
        half = 1 - (1 - self.p).sqrt()
        size, stretch = self.some(normal(x, 0.2)), self.some(normal(x, 0.2))
        first, second = (self.some(uniform(x, -math.pi, math.pi), half) for _ in range(2))
        right, down = self.some(normal(x, SHARE, 2))
        return [
            transforms.scaling((-size).exp2(), (-size).exp2()),
            transforms.rotation(-first),
            transforms.scaling((-stretch).exp2(), stretch.exp2()),
            transforms.rotation(-second),
            transforms.translation(-right * width, -down * height),
        ]


dalikit_components = offer(ADA)
