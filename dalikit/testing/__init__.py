"""The contract as checks that the author of a component runs on it.

    from dalikit import testing
    testing.check_game(MyGame())

Each check raises an `AssertionError` that says what the contract wants.
"""

from dalikit.testing.assertions import check_saving
from dalikit.testing.data import check_dataset, check_metric
from dalikit.testing.games import check_game
from dalikit.testing.methods import check_callback, check_method, check_optimizer
from dalikit.testing.players import (
    check_augmentation,
    check_discriminator,
    check_encoder,
    check_generator,
    check_posterior,
)
from dalikit.testing.rules import check_rules

__all__ = [
    "check_augmentation",
    "check_callback",
    "check_dataset",
    "check_discriminator",
    "check_encoder",
    "check_game",
    "check_generator",
    "check_method",
    "check_metric",
    "check_optimizer",
    "check_posterior",
    "check_rules",
    "check_saving",
]
