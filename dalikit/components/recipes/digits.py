"""The default run: DALI on the digits that ship inside scikit-learn."""

from dalikit.hookspecs import offer
from dalikit.interfaces import Recipe

DALIKIT_API = 2


settings = {
    "dataset": {"name": "digits"},
    "method": {"name": "dali", "lam": 0.15},
    "game": {"name": "gan", "r1": 0.0},
    "posterior": {"name": "diag", "log_variance_min": -6.0, "log_variance_max": 2.0},
    "backbone": "dcgan",
    "augmentation": {"name": "none"},
    "threads": 1,
    "generator": {"width": 32},
    "discriminator": {"width": 32, "norm": "spectral"},
    "encoder": {"convs": 0},  # at 8×8 a single convolution is all that precedes the features
    "trainer": {
        "steps": 3600,
        "batch_size": 32,
        "lr": 2e-3,
        "optimizer": {"betas": (0.5, 0.99)},
        "schedule": "linear",
    },
}
dalikit_components = offer(
    Recipe(
        "digits",
        "DALI with a diagonal posterior on 8×8 digits: the default run",
        "no row of the paper; the smallest real images at hand",
        settings,
    )
)
