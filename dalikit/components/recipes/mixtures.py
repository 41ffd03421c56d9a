"""The paper's mixture experiment: 25 Gaussians on a grid, and its sibling, the ring of 8.

Batch, betas, schedule and λ are what the rules derive for any points.
"""

from typing import Any

from dalikit.hookspecs import offer
from dalikit.interfaces import Recipe

DALIKIT_API = 2

_SETTINGS: dict[str, Any] = {
    "method": "dali",
    "game": {"name": "gan", "r1": 1e-3},
    "posterior": {"name": "diag"},
    "backbone": "mlp",
    "generator": {"width": 128, "depth": 2, "x_scale": 2.0, "latent_size": 2},
    "discriminator": {"width": 128, "depth": 1, "head_depth": 1, "x_scale": 2.0},
    "encoder": {"width": 128, "depth": 1},
    "trainer": {"steps": 15_000, "lr": 1e-3, "roles": {"generator": {"lr": 2e-3}, "encoder": {"lr": 2e-3}}},
    "callbacks": {"pictures": {"every": 2000}, "evaluation": {"every": 2000}, "checkpoint": {"every": 4000}},
}


dalikit_components = offer(
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
        {
            **_SETTINGS,
            "dataset": {"name": "ring8"},
            "game": {"name": "gan", "r1": 1e-4},
            "generator": {**_SETTINGS["generator"], "x_scale": 1.0},
            "discriminator": {**_SETTINGS["discriminator"], "x_scale": 1.0},
            # At half of G's rate D lags behind so small a σ, and a plain GAN circles for ever.
            "trainer": {**_SETTINGS["trainer"], "lr": 2e-3},
        },
    ),
)
