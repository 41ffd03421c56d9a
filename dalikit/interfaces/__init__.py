"""The whole contract: what a component is, and the small records that pass between components.

Symbols: B batch, Z latent size, X the shape of one datum ((C, H, W) or (2,)), H the shape of the
features, K the number of fake samples for one real one.

A component's constructor takes what dalikit supplies (`Kind.supplied`) as positional-only arguments, a method
its players by name, and what the user may set as keyword-only ones with types and defaults; there is no
second place for its settings.
"""

from dalikit.interfaces.combinations import Backbone, Recipe, Study, StudyColumn, StudyRow
from dalikit.interfaces.data import Dataset, Split, TensorSplit
from dalikit.interfaces.derived import Derived
from dalikit.interfaces.games import AdversarialGame, Critic
from dalikit.interfaces.kinds import Component, Kind, describe
from dalikit.interfaces.measures import Headline, Metric, Score
from dalikit.interfaces.methods import Iteration, Method, Phase, PhaseLoss, Role
from dalikit.interfaces.optimizers import Optimizer
from dalikit.interfaces.players import Augmentation, Discriminator, Encoder, Generator, Posterior
from dalikit.interfaces.rules import Pace, Rules, Situation
from dalikit.interfaces.spec import Batch, DataSpec, Part, Range, Shape, Standardization
from dalikit.interfaces.stamps import Stamp
from dalikit.interfaces.watching import Callback, Fit, TrainingState

__all__ = [
    "AdversarialGame",
    "Augmentation",
    "Backbone",
    "Batch",
    "Callback",
    "Component",
    "Critic",
    "DataSpec",
    "Dataset",
    "Derived",
    "Discriminator",
    "Encoder",
    "Fit",
    "Generator",
    "Headline",
    "Iteration",
    "Kind",
    "Method",
    "Metric",
    "Optimizer",
    "Pace",
    "Part",
    "Phase",
    "PhaseLoss",
    "Posterior",
    "Range",
    "Recipe",
    "Role",
    "Rules",
    "Score",
    "Shape",
    "Situation",
    "Split",
    "Stamp",
    "Standardization",
    "Study",
    "StudyColumn",
    "StudyRow",
    "TensorSplit",
    "TrainingState",
    "describe",
]
