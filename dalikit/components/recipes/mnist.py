"""The paper's MNIST experiment with a budget of minutes on two cores: a small DCGAN in place of its networks.

R1 matters most: without it D runs away, and codes are read far worse; λ is ten times the paper's 1/d.
"""

from dalikit.hookspecs import hookimpl
from dalikit.interfaces import Recipe

DALIKIT_API = 1


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the recipe."""
    settings = {
        "dataset": {"name": "mnist"},
        "method": {"name": "dali", "lam": 10.0},
        "game": {"name": "gan", "r1": 1.0, "penalty_every": 4},
        "posterior": {"name": "diag", "log_variance_min": -6.0, "log_variance_max": 2.0},
        "backbone": "dcgan",
        "threads": 1,
        "generator": {"latent_size": 64, "width": 16},
        "discriminator": {"width": 16, "norm": "batch"},
        "trainer": {"steps": 2000, "batch_size": 64, "lr": 2e-3, "betas": (0.5, 0.99), "schedule": "linear"},
    }
    return [Recipe("mnist", "DALI with a diagonal posterior on MNIST", "DALI, table 1, row DALI", settings)]
