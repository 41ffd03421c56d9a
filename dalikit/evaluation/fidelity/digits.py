"""The digit scorer as one of torch-fidelity's extractors of features."""

from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor

from dalikit.evaluation import scorer
from dalikit.evaluation.fidelity.extractor import Extractor

NAME = "dalikit-digits"
"""torch-fidelity's name for it."""


def digits(path: Path) -> Extractor:
    """The digit scorer in a file, which is read once; raises `UserError` as `scorer.load` does."""
    network, facts = scorer.load(path)
    return Extractor(_registered(), path, facts["sha256"], lambda: {"scorer": network}, facts)


@cache
def _registered() -> str:
    """The name of the digit scorer among torch-fidelity's extractors; registered at the first call."""
    from torch_fidelity import FeatureExtractorBase, register_feature_extractor
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

    class DigitsExtractor(FeatureExtractorBase):  # type: ignore[misc]
        """The scorer's hidden layer and logits."""

        def __init__(self, name: str, features_list: list[str], scorer: scorer.DigitScorer, **_: Any) -> None:
            super().__init__(name, features_list)
            self.scorer = scorer

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return "features", "logits"

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "logits" if metric == "isc" else "features"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, images: Tensor) -> tuple[Tensor, ...]:
            found = dict(zip(self.get_provided_features_list(), self.scorer(images), strict=True))
            return tuple(found[layer] for layer in self.features_list)

    if NAME not in FEATURE_EXTRACTORS_REGISTRY:  # a second registration would raise
        register_feature_extractor(NAME, DigitsExtractor)
    return NAME
