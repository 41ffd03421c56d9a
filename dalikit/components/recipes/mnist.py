"""The paper's MNIST experiment, on its networks at half their width: a budget of minutes on two cores."""

from dalikit.hookspecs import hookimpl
from dalikit.interfaces import Recipe

DALIKIT_API = 1


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the recipe."""
    settings = {
        "dataset": {"name": "mnist"},
        "method": {"name": "dali", "lam": 0.3},
        "game": {"name": "gan"},
        "posterior": {"name": "diag", "log_variance_min": -6.0, "log_variance_max": 2.0},
        "backbone": "infogan",
        "generator": {"latent_size": 64, "width": 32, "hidden": 512},
        "discriminator": {"width": 32, "hidden": 512},
        "encoder": {"width": 32},
        "trainer": {"steps": 5000, "batch_size": 64, "lr": 1e-3, "betas": (0.5, 0.99), "schedule": "linear"},
        "callbacks": {"evaluation": {"every": 1000}, "pictures": {"every": 1000}},
    }
    return [Recipe("mnist", "DALI with a diagonal posterior on MNIST", "DALI, table 1, row DALI", settings)]
