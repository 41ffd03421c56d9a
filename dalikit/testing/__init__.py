"""The contract as checks that the author of a component runs on it.

    from dalikit import testing
    testing.check_component(MyGame)     # all of it, a tiny training too
    testing.check_game(MyGame())        # what is its kind's own

Each check raises an `AssertionError` that says what is, and then what should be. In pytest the fixture
`dalikit_contract` is `check_component`, and `pytest --dalikit PACKAGE` checks all that a package offers.
"""

from dalikit.testing.assertions import check_saving
from dalikit.testing.combinations import check_backbone, check_recipe, check_study
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
from dalikit.testing.training import check_training
from dalikit.testing.whole import check_component

__all__ = [
    "check_augmentation",
    "check_backbone",
    "check_callback",
    "check_component",
    "check_dataset",
    "check_discriminator",
    "check_encoder",
    "check_game",
    "check_generator",
    "check_method",
    "check_metric",
    "check_optimizer",
    "check_posterior",
    "check_recipe",
    "check_rules",
    "check_saving",
    "check_study",
    "check_training",
]
