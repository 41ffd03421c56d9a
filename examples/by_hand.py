"""DALI from five objects, trained on digits: no configuration, no registry.

python examples/by_hand.py [STEPS]
"""

import sys

import torch

from dalikit import Model, Trainer
from dalikit.components import datasets, games, methods, posteriors
from dalikit.components.networks import DCGANDiscriminator, DCGANEncoder, DCGANGenerator

torch.manual_seed(0)
torch.set_num_threads(1)  # the networks are small
data = datasets.Digits()

generator, discriminator = DCGANGenerator(16, data.spec, width=32), DCGANDiscriminator(data.spec, width=32)
family = posteriors.Diagonal(16, log_variance_min=-6.0, log_variance_max=2.0)
players = {
    "generator": generator,
    "discriminator": discriminator,
    "encoder": DCGANEncoder(discriminator.feature_shape, family.heads()),
    "family": family,
    "game": games.GAN(),
}
steps = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
optimization = {"lr": 2e-3, "optimizer": {"betas": (0.5, 0.99)}, "schedule": "linear"}
trainer = Trainer(methods.DALI(**players, lam=0.15), data, steps=steps, batch_size=32, **optimization)
trainer.fit()

model = Model(trainer.inference)
x = data.scale(data.split("test").data)
error = ((model.reconstruct(x) - x) / 2).square().mean()
print(f"after {trainer.step} steps: test MSE on [0, 1] {error:.4f}")
