"""What most objectives are made of: a game on a critic, an encoder with its family, sums of weighted terms.

The bases are abstract: a method derives from those it is made of, and its file is left with its paper's
formulas.
"""

from dalikit.objectives.inferring import INFERRING, Inferring
from dalikit.objectives.joint import Joint
from dalikit.objectives.losses import (
    CriticLoss,
    critic_loss,
    critic_phase,
    generator_loss,
    measured,
    weighted_sum,
)
from dalikit.objectives.playing import Adversarial, Playing, Watching

__all__ = [
    "INFERRING",
    "Adversarial",
    "CriticLoss",
    "Inferring",
    "Joint",
    "Playing",
    "Watching",
    "critic_loss",
    "critic_phase",
    "generator_loss",
    "measured",
    "weighted_sum",
]
