"""Training: phases to optimizer steps, and what a resume must restore."""

from dalikit.training.optimization import Optimization, RoleOptions, Schedule
from dalikit.training.trainer import Trainer

__all__ = ["Optimization", "RoleOptions", "Schedule", "Trainer"]
