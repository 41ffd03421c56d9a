"""Inception score, FID, KID, precision and recall, by torch-fidelity, with Inception or the digit scorer.

Source: Obukhov et al. 2020, "torch-fidelity"; Salimans et al. 2016, "Improved Techniques for Training GANs";
Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule"; Binkowski et al. 2018, "Demystifying MMD
GANs"; Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric".
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from dalikit.errors import UnfitError, UserError
from dalikit.evaluation import scorer, scoring
from dalikit.evaluation.fidelity import (
    SEED,
    Extractor,
    Measure,
    PartImages,
    TensorImages,
    digits,
    inception,
    measure_images,
)
from dalikit.functional.ranges import to_uint8
from dalikit.hookspecs import offer
from dalikit.interfaces import Dataset, Headline, Method, Metric, Part, Range, Score

DALIKIT_API = 2

FIELDS = {
    "isc_mean": "inception_score_mean",
    "isc_std": "inception_score_std",
    "fid": "frechet_inception_distance",
    "kid_mean": "kernel_inception_distance_mean",
    "kid_std": "kernel_inception_distance_std",
    "precision": "precision",
    "recall": "recall",
    "f_score": "f_score",
}
"""Ours for torch-fidelity's names of values."""

HEADLINES: dict[Measure, Headline] = {
    "fid": (("fid", "lower"),),
    "isc": (("isc_mean", "higher"),),
    "kid": (("kid_mean", "lower"),),
    "prc": (("f_score", "higher"),),
}
"""By measure, the first that is computed being the one that counts."""

LOOKED_AT = 100
"""Images by which a data set is taken for coloured or grey."""


class Fidelity(Metric):
    """Scores of `count` samples, against one part of the data set where a measure compares.

    Args:
        extractor: of features; `digits` is the scorer that `dalikit scorer train mnist` makes.
        weights: its file; unless named, Inception's is downloaded, and the scorer lies under the data root.
        count: of samples.
        splits: of the inception score.
        measures: isc, fid, kid and prc (precision and recall).

    Raises:
        UnfitError: the extractor does not read the data set's images.
    """

    name = "fidelity"

    def __init__(
        self,
        dataset: Dataset,
        part: Part = "test",
        root: Path | None = None,
        /,
        *,
        extractor: Literal["inception", "digits"] = "inception",
        weights: str = "",
        count: Annotated[int, Field(ge=2, le=1_000_000)] = 50_000,
        splits: Annotated[int, Field(ge=1, le=1000)] = 10,
        measures: Annotated[tuple[Measure, ...], Field(min_length=1)] = ("isc", "fid"),
    ) -> None:
        if (reason := _unreadable(dataset, extractor)) or dataset.spec.value_range is None:
            raise UnfitError(f"metric 'fidelity': {reason}")
        if count < splits:
            raise UserError(f"metrics.fidelity.count {count} is less than metrics.fidelity.splits {splits}")
        self.dataset = dataset
        self.value_range: Range = dataset.spec.value_range
        self.extractor = extractor
        self.weights = weights
        self.count = count
        self.splits = splits
        self.measures = measures
        self.part = part
        self.root = root
        self.device = torch.device("cpu")
        self.samples: list[Tensor] = []

    @property
    def headline(self) -> Headline:  # type: ignore[override]
        """FID where it is measured, else the inception score, KID, or F."""
        return next(HEADLINES[measure] for measure in HEADLINES if measure in self.measures)

    def feed(self, method: Method) -> Iterator[tuple[Tensor, ...]]:
        """Batches of samples (b, *X), which are compared with the part."""
        self.device = scoring.device_of(method)
        return ((x,) for x in scoring.samples(method, self.count))

    def update(self, *batch: Tensor) -> None:
        """Take in samples (b, *X) in the data set's range; values outside it are refused."""
        (x,) = batch
        if tuple(x.shape[1:]) != tuple(self.dataset.spec.x_shape):
            raise UserError(
                f"Samples have shape {tuple(x.shape)}, (B, *{self.dataset.spec.x_shape}) is needed"
            )
        self.samples.append(to_uint8(x, self.value_range).cpu())

    def compute(self) -> Score:
        """The scores of all samples so far."""
        samples = TensorImages(torch.cat(self.samples))
        reference = None if set(self.measures) == {"isc"} else PartImages(self.dataset, self.part)
        subset = min(1000, len(samples), len(reference or samples))
        found = measure_images(
            samples,
            reference,
            self.measures,
            self._loaded,
            self.device,
            isc_splits=self.splits,
            kid_subset_size=subset,
        )
        values = {ours: found[theirs] for ours, theirs in FIELDS.items() if theirs in found}
        return Score(self.name, values, self._protocol(len(samples), len(reference or ()), subset))

    def unfit(self, method: Method) -> str | None:
        """Without the extractor's weights nothing can be measured; Inception's are downloaded for this."""
        try:
            self._loaded  # noqa: B018 - found, checked, and kept
        except UserError as error:
            return str(error)
        if self.extractor == "digits" and self.dataset.spec.x_shape[0] == 3 and _is_coloured(self.dataset):
            return (
                "the channels of its images differ, and the digit scorer reads grey ones; stacked-modes "
                "counts digits stacked as colours"
            )
        return None

    @cached_property
    def _loaded(self) -> Extractor:
        path = Path(self.weights) if self.weights else None
        return (
            inception(path)
            if self.extractor == "inception"
            else digits(path or scorer.default_path(self.root))
        )

    def _protocol(self, samples: int, reference: int, subset: int) -> dict[str, Any]:
        import torch_fidelity

        low, high = self.value_range
        protocol: dict[str, Any] = {
            "dataset": self.dataset.name,
            "samples": samples,
            "resolution": list(self.dataset.spec.x_shape),
            "pixels": f"uint8, rounded from [{low:g}, {high:g}]",
            "resize": "none" if self.extractor == "digits" else "Inception's own to 299, bilinear as TF 1.x",
            "extractor": self.extractor,
            "weights_sha256": self._loaded.sha256,
            "library": f"torch-fidelity {torch_fidelity.__version__}",
            "library_seed": SEED,
            "mode": "eval",
        }
        if reference:
            protocol |= {"reference_part": self.part, "reference_count": reference}
        if "isc" in self.measures:
            protocol["splits"] = self.splits
        if "kid" in self.measures:
            protocol["kid_subset_size"] = subset
        return protocol | (self._of_the_scorer() if self.extractor == "digits" else {})

    def _of_the_scorer(self) -> dict[str, Any]:
        facts = self._loaded.facts
        return {
            "scorer_accuracy": facts["accuracy"],
            "isc_of_real_test_images": f"{facts['isc_mean']:.3f} ± {facts['isc_std']:.3f}",
        }


def _unreadable(dataset: Dataset, extractor: str) -> str:
    """Why the extractor does not read the data set's images, or nothing."""
    shape = tuple(dataset.spec.x_shape)
    if len(shape) != 3 or dataset.spec.value_range is None:
        return f"data set '{dataset.name}' has no images of a known range"
    if extractor == "inception" and shape[0] != 3:
        return (
            f"Inception reads colour images, and data set '{dataset.name}' has {shape[0]} channel(s), which "
            "are not copied; metrics.fidelity.extractor=digits scores grey digits"
        )
    if extractor == "digits" and shape not in {(1, scorer.SIZE, scorer.SIZE), (3, scorer.SIZE, scorer.SIZE)}:
        return f"the digit scorer reads 28×28 digits, and data set '{dataset.name}' has {shape}"
    return ""


def _is_coloured(dataset: Dataset) -> bool:
    """Whether channels differ in any of the first images."""
    split = dataset.split("test")
    first = torch.arange(min(LOOKED_AT, len(split)))
    x = dataset.scale(split.take(first, torch.Generator().manual_seed(0)).x)
    return not bool((x == x[:, :1]).all())


dalikit_components = offer(Fidelity)
