"""torch-fidelity as a library: images handed over as they are, features from weights that were checked first.

Source: Obukhov et al. 2020, "torch-fidelity".
"""

from dalikit.evaluation.fidelity.digits import digits_extractor
from dalikit.evaluation.fidelity.images import PartImages, TensorImages
from dalikit.evaluation.fidelity.inception import inception_weights
from dalikit.evaluation.fidelity.measure import INCEPTION, SEED, Measure, measure_images

__all__ = [
    "INCEPTION",
    "SEED",
    "Measure",
    "PartImages",
    "TensorImages",
    "digits_extractor",
    "inception_weights",
    "measure_images",
]
