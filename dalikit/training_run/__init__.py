"""The life of a run: it is started or resumed, trained under its lock, scored, and finished."""

from dalikit.training_run.resume import resume
from dalikit.training_run.run import TrainingRun
from dalikit.training_run.start import start, train

__all__ = ["TrainingRun", "resume", "start", "train"]
