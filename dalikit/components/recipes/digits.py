"""The default run: DALI on the digits that ship inside scikit-learn."""

from dalikit.hookspecs import hookimpl
from dalikit.interfaces import Recipe

DALIKIT_API = 1


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the recipe."""
    settings = {
        "dataset": {"name": "digits"},
        "method": {"name": "dali"},
        "backbone": "dcgan",
        "generator": {"width": 32},
        "discriminator": {"width": 32},
        "trainer": {"steps": 1500, "batch_size": 64, "lr": 1e-3, "schedule": "linear"},
    }
    return [
        Recipe(
            "digits",
            "DALI with a diagonal posterior on 8×8 digits: the default run",
            "no row of the paper; the smallest real images at hand",
            settings,
        )
    ]
