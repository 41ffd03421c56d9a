"""The paper's image experiments with budgets of minutes on two cores: small DCGANs in place of its networks.

λ and R1 are those of MNIST, chosen by validation: more of either reads codes better and spoils samples.
λ is three times the paper's 1/d; without R1 D runs away. All else is what the rules derive for any images.
"""

from typing import Any

from dalikit.hookspecs import offer
from dalikit.interfaces import Recipe

DALIKIT_API = 2


def _settings(dataset: str, width: int, steps: int) -> dict[str, Any]:
    return {
        "dataset": {"name": dataset},
        "method": {"name": "dali", "lam": 3.0},
        "game": {"name": "gan", "r1": 0.3},
        "posterior": {"name": "diag"},
        "backbone": "dcgan",
        "generator": {"latent_size": 64, "width": width},
        "discriminator": {"width": width},
        "trainer": {"steps": steps},
    }


table, clothes = "DALI, table 1, row DALI", "no row of the paper; MNIST's networks on clothes"
stacked = "VEEGAN, table 2, stacked MNIST; not in DALI's paper"
dalikit_components = offer(
    Recipe("mnist", "DALI on MNIST", table, _settings("mnist", 16, 5000)),
    Recipe("fashion-mnist", "DALI on Fashion-MNIST", clothes, _settings("fashion-mnist", 16, 5000)),
    Recipe("stacked-mnist", "DALI on stacked MNIST", stacked, _settings("stacked-mnist", 32, 3000)),
    Recipe("cifar10", "DALI on CIFAR-10 at 32×32", table, _settings("cifar10", 32, 3000)),
    Recipe("celeba", "DALI on CelebA at 64×64", "DALI, figure 1", _settings("celeba", 16, 3000)),
)
