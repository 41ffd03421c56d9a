"""The network of the digit scorer.

Symbols: N images, F features, 10 classes.

Source: Li et al. 2017, "ALICE", and its public scorer of MNIST.
"""

import torch
from torch import Tensor, nn

from dalikit.errors import UnfitError

CLASSES = 10
SIZE = 28


class DigitScorer(nn.Module):
    """Two convolutions and a hidden layer, on pixels in [-0.5, 0.5]."""

    def __init__(self, width: int = 32, features: int = 1024) -> None:
        super().__init__()
        # Pooling comes before the rectifier: the result is the same, at a quarter of the work.
        self.trunk = nn.Sequential(
            nn.Conv2d(1, width, 5, padding=2),
            nn.BatchNorm2d(width),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 5, padding=2),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * width * (SIZE // 4) ** 2, features),
            nn.BatchNorm1d(features),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(features, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, F) and logits (N, 10) of uint8 images; of RGB the mean of the channels counts.

        Raises:
            UnfitError: the images have another type or shape.
        """
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) not in {(1, SIZE, SIZE), (3, SIZE, SIZE)}:
            raise UnfitError(
                f"The digit scorer reads uint8 (N, 1 or 3, {SIZE}, {SIZE}), not {images.dtype} "
                f"{tuple(images.shape)}"
            )
        h = self.trunk(images.float().mean(1, keepdim=True) / 255 - 0.5)
        return h, self.head(self.dropout(h))

    @torch.no_grad()
    def logits(self, images: Tensor, batch: int = 500) -> Tensor:
        """Logits (N, 10) of any number of images, in eval mode, on the CPU."""
        self.eval()
        device = self.head.weight.device
        return torch.cat([self(chunk.to(device))[1].cpu() for chunk in images.split(batch)])
