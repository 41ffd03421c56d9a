"""Swap in networks of your own: any three modules that meet the contract, here with skip connections.

    python examples/own_backbone.py [STEPS]

To have them as `--backbone residual` on the command line, offer the same classes from a plugin: see
docs/tutorial.md.
"""

import sys

import torch
from torch import nn

from dalikit import Discriminator, Encoder, Generator, Model, Trainer, testing
from dalikit.components.datasets import Digits
from dalikit.components.games import Hinge
from dalikit.components.methods import DALI
from dalikit.components.posteriors import Diagonal
from dalikit.players import Squeeze


class Block(nn.Module):
    """x + f(x), f being two convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.LeakyReLU(0.2), nn.Conv2d(channels, channels, 3, 1, 1)),
            *(nn.LeakyReLU(0.2), nn.Conv2d(channels, channels, 3, 1, 1)),
        )

    def forward(self, x):
        return x + self.body(x)


class ResidualGenerator(Generator):
    """Codes to images of an even size, in two steps."""

    name = "residual"

    def __init__(self, latent_size, spec, /, *, width: int = 32) -> None:
        super().__init__(latent_size, spec)
        channels, size, _ = spec.x_shape
        self.net = nn.Sequential(
            nn.Linear(latent_size, width * (size // 2) ** 2),
            nn.Unflatten(1, (width, size // 2, size // 2)),
            *(Block(width), nn.Upsample(scale_factor=2), Block(width)),
            *(nn.LeakyReLU(0.2), nn.Conv2d(width, channels, 3, 1, 1), nn.Tanh()),
        )

    def forward(self, z):
        return self.net(z)


class ResidualDiscriminator(Discriminator):
    """A trunk from images to features at half their size, and a head from those to a logit."""

    name = "residual"

    def __init__(self, spec, /, *, width: int = 32) -> None:
        super().__init__()
        channels, size, _ = spec.x_shape
        self.feature_shape = (width, size // 2, size // 2)
        self.trunk = nn.Sequential(nn.Conv2d(channels, width, 3, 1, 1), Block(width), nn.AvgPool2d(2))
        self.head = nn.Sequential(Block(width), nn.Flatten(), nn.LazyLinear(1), Squeeze())
        self.head(torch.zeros(1, *self.feature_shape))  # lets the lazy layer know its size


class ResidualEncoder(Encoder):
    """Features to one tensor a head."""

    name = "residual"

    def __init__(self, in_shape, head_sizes, /, *, width: int = 128) -> None:
        super().__init__()
        flat = torch.Size(in_shape).numel()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Flatten(), nn.Linear(flat, width), nn.LeakyReLU(0.2), nn.Linear(width, size))
            for size in head_sizes
        )

    def forward(self, h):
        return tuple(head(h) for head in self.heads)


torch.manual_seed(0)
torch.set_num_threads(1)
data = Digits()
generator, discriminator = ResidualGenerator(16, data.spec), ResidualDiscriminator(data.spec)
family = Diagonal(16, log_variance_min=-6.0, log_variance_max=2.0)
encoder = ResidualEncoder(discriminator.feature_shape, family.heads())

# The contract's own checks, for the networks that are built as the registry would build them.
testing.check_saving(lambda: ResidualGenerator(16, data.spec))
testing.check_saving(lambda: ResidualDiscriminator(data.spec))

players = {"generator": generator, "discriminator": discriminator, "encoder": encoder, "family": family}
method = DALI(**players, game=Hinge(), lam=0.3)
steps = int(sys.argv[1]) if len(sys.argv) > 1 else 800
optimization = {"lr": 1e-3, "optimizer": {"betas": (0.5, 0.99)}, "schedule": "linear"}
trainer = Trainer(method, data, steps=steps, batch_size=32, **optimization)
trainer.fit()

x = data.scale(data.split("test").data)
again = Model(trainer.inference).reconstruct(x)
print(f"after {trainer.step} steps: test MSE on [0, 1] {((again - x) / 2).square().mean():.4f}")
