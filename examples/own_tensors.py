"""Train on tensors of your own: a data set says what its data are, and has three splits.

python examples/own_tensors.py [STEPS]
"""

import sys

import torch

from dalikit import Dataset, DataSpec, Model, TensorSplit, Trainer
from dalikit.components.games import GAN
from dalikit.components.methods import DALI
from dalikit.components.networks import DCGANDiscriminator, DCGANEncoder, DCGANGenerator
from dalikit.components.posteriors import Diagonal


class Bars(Dataset):
    """12×12 colour images of one bright bar, made here; yours would come from a file."""

    name = "bars"
    spec = DataSpec(x_shape=(3, 12, 12), value_range=(-1.0, 1.0))
    preparation = "600 images of a bar at a random place in a random colour; the last 100 are the test part"

    def __init__(self) -> None:
        rng = torch.Generator().manual_seed(0)
        images = torch.zeros(600, 3, 12, 12, dtype=torch.uint8)
        for image in images:
            row = int(torch.randint(0, 10, (), generator=rng))
            colour = torch.randint(100, 256, (3, 1, 1), generator=rng, dtype=torch.uint8)
            image[:, row : row + 3] = colour
        self._parts = {"train": images[:450], "validation": images[450:500], "test": images[500:]}

    def split(self, part):
        """The part as uint8 (N, 3, 12, 12); `Dataset.scale` brings it to [-1, 1]."""
        return TensorSplit(self._parts[part])


torch.manual_seed(0)
torch.set_num_threads(1)
data, latent_size = Bars(), 6
generator = DCGANGenerator(latent_size, data.spec, width=16)
discriminator, family = DCGANDiscriminator(data.spec, width=16), Diagonal(latent_size)
method = DALI(
    generator=generator,
    discriminator=discriminator,
    encoder=DCGANEncoder(discriminator.feature_shape, family.heads()),
    family=family,
    game=GAN(),
)

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
optimization = {"lr": 2e-3, "optimizer": {"betas": (0.5, 0.99)}, "schedule": "linear"}
trainer = Trainer(method, data, steps=steps, batch_size=32, **optimization)
trainer.fit()

x = data.scale(data.split("test").data)
again = Model(trainer.inference).reconstruct(x)
print(f"after {trainer.step} steps: test MSE on [0, 1] {((again - x) / 2).square().mean():.4f}")
