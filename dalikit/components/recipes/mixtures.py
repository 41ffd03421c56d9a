"""The paper's mixture experiment: 25 Gaussians on a grid, and its sibling, the ring of 8."""

from dalikit.hookspecs import hookimpl
from dalikit.interfaces import Recipe

DALIKIT_API = 1

_SETTINGS = {
    "method": {"name": "dali", "lam": 0.1},
    "game": {"name": "gan"},
    "posterior": {"name": "diag"},
    "backbone": "mlp",
    "threads": 1,
    "generator": {"width": 128, "depth": 2, "x_scale": 2.0, "latent_size": 2},
    "discriminator": {"width": 128, "depth": 1, "head_depth": 1, "x_scale": 2.0},
    "encoder": {"width": 128, "depth": 1},
    "trainer": {"steps": 12_000, "batch_size": 256, "lr": 1e-3, "schedule": "linear"},
    "callbacks": {"pictures": {"every": 2000}, "evaluation": {"every": 2000}, "checkpoint": {"every": 4000}},
}


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the recipes."""
    return [
        Recipe(
            "grid25",
            "DALI with a diagonal posterior on the grid of 25 Gaussians",
            "DALI, table 2, row DALI: 25 modes, 81.1 % high quality",
            {"dataset": {"name": "grid25"}, **_SETTINGS},
        ),
        Recipe(
            "ring8",
            "DALI with a diagonal posterior on the ring of 8 Gaussians",
            "VEEGAN, table 1, the ring; not in DALI's paper",
            {"dataset": {"name": "ring8"}, **_SETTINGS},
        ),
    ]
