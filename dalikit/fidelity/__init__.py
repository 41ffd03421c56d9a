"""torch-fidelity as a library: images handed over as they are, features from weights that were checked first.

Source: Obukhov et al. 2020, "torch-fidelity".
"""

from dalikit.fidelity.digits import digits_extractor
from dalikit.fidelity.images import PartImages, TensorImages
from dalikit.fidelity.inception import inception_weights
from dalikit.fidelity.measure import INCEPTION, SEED, Measure, measured

__all__ = [
    "INCEPTION",
    "SEED",
    "Measure",
    "PartImages",
    "TensorImages",
    "digits_extractor",
    "inception_weights",
    "measured",
]
