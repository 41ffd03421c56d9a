"""The whole contract: what a component is, and the small records that pass between components.

Symbols: B batch, Z latent size, X the shape of one datum ((C, H, W) or (2,)), H the shape of the
features, K the number of fake samples for one real one.

A component's constructor takes what dalikit supplies (shapes, Z) as positional-only arguments and what the
user may set as keyword-only ones with types and defaults; there is no second place for its settings.
"""

from dalikit.interfaces.combinations import Backbone, Recipe, Study, StudyColumn, StudyRow
from dalikit.interfaces.data import Dataset, Metric, Part, Score, Split, TensorSplit
from dalikit.interfaces.games import AdversarialGame, Critic
from dalikit.interfaces.methods import InferringMethod, Iteration, Method, Phase, PhaseLoss, Role
from dalikit.interfaces.players import Discriminator, Encoder, Generator, Posterior, Range, Shape
from dalikit.interfaces.watching import Callback, Fit, TrainingState

KINDS: dict[str, type] = {
    "generator": Generator,
    "discriminator": Discriminator,
    "encoder": Encoder,
    "posterior": Posterior,
    "game": AdversarialGame,
    "method": Method,
    "dataset": Dataset,
    "metric": Metric,
    "callback": Callback,
    "backbone": Backbone,
    "recipe": Recipe,
    "study": Study,
}

__all__ = [
    "KINDS",
    "AdversarialGame",
    "Backbone",
    "Callback",
    "Critic",
    "Dataset",
    "Discriminator",
    "Encoder",
    "Fit",
    "Generator",
    "InferringMethod",
    "Iteration",
    "Method",
    "Metric",
    "Part",
    "Phase",
    "PhaseLoss",
    "Posterior",
    "Range",
    "Recipe",
    "Role",
    "Score",
    "Shape",
    "Split",
    "Study",
    "StudyColumn",
    "StudyRow",
    "TensorSplit",
    "TrainingState",
]
