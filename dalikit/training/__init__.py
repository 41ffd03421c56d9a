"""From phases to optimizer steps, and what a resume must restore."""

from dalikit.training.optimization import Optimization, TrainerSettings
from dalikit.training.trainer import Trainer

__all__ = ["Optimization", "Trainer", "TrainerSettings"]
