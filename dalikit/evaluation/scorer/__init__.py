"""The digit scorer: a classifier of MNIST that stands in for Inception where images are digits.

It is trained once, by `dalikit scorer train mnist`, and kept under the data root. Images are uint8
(N, 1, 28, 28), or (N, 3, 28, 28) as grey PNG files arrive.
"""

from dalikit.evaluation.scorer.file import FORMAT, ScorerFacts, default_path, load, save
from dalikit.evaluation.scorer.network import CLASSES, SIZE, DigitScorer
from dalikit.evaluation.scorer.training import (
    COPIES,
    Labelled,
    accuracy,
    inception_score,
    jitter,
    read_labelled,
    train,
)

__all__ = [
    "CLASSES",
    "COPIES",
    "FORMAT",
    "SIZE",
    "DigitScorer",
    "Labelled",
    "ScorerFacts",
    "accuracy",
    "default_path",
    "inception_score",
    "jitter",
    "load",
    "read_labelled",
    "save",
    "train",
]
