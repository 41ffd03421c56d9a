"""torch-fidelity as a library: images handed over as they are, features from weights that were loaded safely.

Source: Obukhov et al. 2020, "torch-fidelity".
"""

from dalikit.evaluation.fidelity.digits import digits
from dalikit.evaluation.fidelity.extractor import Extractor
from dalikit.evaluation.fidelity.images import PartImages, TensorImages
from dalikit.evaluation.fidelity.inception import inception
from dalikit.evaluation.fidelity.measure import SEED, Measure, measure_images

__all__ = [
    "SEED",
    "Extractor",
    "Measure",
    "PartImages",
    "TensorImages",
    "digits",
    "inception",
    "measure_images",
]
