"""DiffAugment: colour, translation and cutout of all that D sees, differentiable, from the first step on.

On x in units where the value range is [-1, 1], each datum drawn on its own:

- colour: x + b, b ~ U(-½, ½); then colours spread about their grey, by s ~ U(0, 2), where C = 3; then values
  spread about the image's mean, by c ~ U(½, 3/2).
- translation: by whole pixels, uniform up to a share of the side, both ways; 0 comes in.
- cutout: 0 in a rectangle, its sides a share of the image's, centred uniformly in the image; what reaches
  over the border is lost.

So 0 is the middle of the value range. Values are not clamped: they may leave the range.

Source: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training", figure 4;
the numbers are those of the policy "color, translation, cutout" that its authors published.
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from dalikit.functional.transforms import (
    each,
    erase,
    from_signed,
    image_range,
    luma,
    shift,
    spread,
    to_signed,
)
from dalikit.hookspecs import offer
from dalikit.interfaces import Augmentation, DataSpec

DALIKIT_API = 2

Share = Annotated[float, Field(ge=0, lt=1)]


class DiffAugment(Augmentation):
    """DiffAugment on images (C, H, W).

    Args:
        colour: change brightness, saturation and contrast.
        translation: how far images move, as a share of the side; 0 for not at all.
        cutout: the sides of the rectangle cut out, as a share of the image's; 0 for none.
    """

    name = "diffaugment"

    def __init__(
        self, spec: DataSpec, /, *, colour: bool = True, translation: Share = 0.125, cutout: Share = 0.5
    ) -> None:
        super().__init__()
        self.value_range = image_range(self.name, spec.x_shape, spec.value_range)
        self.colour = colour
        self.translation = translation
        self.cutout = cutout

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W), augmented."""
        y = to_signed(x, self.value_range)
        y = self.recoloured(y) if self.colour else y
        y = self.shifted(y) if self.translation else y
        return from_signed(self.cut(y) if self.cutout else y, self.value_range)

    def recoloured(self, x: Tensor) -> Tensor:
        """x with other brightness, saturation if it has three channels, and contrast."""
        brightness, saturation, contrast = torch.rand(3, len(x), device=x.device, dtype=x.dtype)
        x = x + each(brightness - 0.5)
        x = spread(x, luma(x), 2 * saturation) if x.shape[1] == 3 else x
        return spread(x, x.mean((1, 2, 3), keepdim=True), contrast + 0.5)

    def shifted(self, x: Tensor) -> Tensor:
        """x moved by whole pixels."""
        spans = (int(self.translation * side + 0.5) for side in x.shape[2:])
        down, right = (torch.randint(-span, span + 1, (len(x),), device=x.device) for span in spans)
        return shift(x, down, right)

    def cut(self, x: Tensor) -> Tensor:
        """x with a rectangle of 0."""
        (top, height), (left, width) = (self.stretch(x, side) for side in x.shape[2:])
        return erase(x, top, left, height, width)

    def stretch(self, x: Tensor, side: int) -> tuple[Tensor, int]:
        """Where (B,), int64, what is cut out of a side starts, its centre anywhere in it; and its length."""
        length = int(self.cutout * side + 0.5)
        # An even one's centre lies between pixels, of which there is one more: both borders are alike.
        return torch.randint(side + 1 - length % 2, (len(x),), device=x.device) - length // 2, length


dalikit_components = offer(DiffAugment)
