"""DALI from five objects, trained on digits: no configuration, no registry.

python examples/by_hand.py [STEPS]
"""

import sys

import torch

from dalikit import Trainer
from dalikit.components.datasets.digits import Digits
from dalikit.components.games.gan import GAN
from dalikit.components.methods.dali import DALI
from dalikit.components.networks.dcgan import DCGANDiscriminator, DCGANEncoder, DCGANGenerator
from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.model import Model

torch.manual_seed(0)
torch.set_num_threads(1)  # the networks are small
data = Digits()

generator = DCGANGenerator(16, data.x_shape, data.value_range, width=32)
discriminator = DCGANDiscriminator(data.x_shape, width=32)
posterior = Diagonal(16, log_variance_min=-6.0, log_variance_max=2.0)
encoder = DCGANEncoder(discriminator.feature_shape, posterior.heads())
game = GAN()

method = DALI(generator, discriminator, encoder, posterior, game, lam=0.15)
steps = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
trainer = Trainer(method, data, steps=steps, batch_size=32, lr=2e-3, betas=(0.5, 0.99), schedule="linear")
trainer.fit()

model = Model(trainer.inference, data.x_shape, data.value_range)
x = data.scale(data.split("test").data)
error = ((model.reconstruct(x) - x) / 2).square().mean()
print(f"after {trainer.step} steps: test MSE on [0, 1] {error:.4f}")
