"""Inception score, FID, KID, precision and recall, by torch-fidelity, with Inception or the digit scorer.

Source: Obukhov et al. 2020, "torch-fidelity"; Salimans et al. 2016, "Improved Techniques for Training GANs";
Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule"; Binkowski et al. 2018, "Demystifying MMD
GANs"; Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric".
"""

import pickle
import socket
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zipfile import BadZipFile

import torch
from pydantic import Field
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from dalikit import evaluation, scorer
from dalikit.errors import UnfitError, UserError
from dalikit.functional.ranges import to_uint8
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import Dataset, Method, Metric, Part, Range, Score
from dalikit.randomness import RandomState

DALIKIT_API = 1

Measure = Literal["isc", "fid", "kid", "prc"]

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

INCEPTION, DIGITS = "inception-v3-compat", "dalikit-digits"
"""torch-fidelity's names of the extractors."""

SEED = 2020
"""torch-fidelity's own default; of its shuffle before splitting, and of KID's subsets."""

TIMEOUT = 30.0
"""Seconds without an answer after which a download has failed."""


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
        /,
        *,
        extractor: Literal["inception", "digits"] = "inception",
        weights: str = "",
        count: Annotated[int, Field(ge=2)] = 50_000,
        splits: Annotated[int, Field(ge=1)] = 10,
        measures: Annotated[tuple[Measure, ...], Field(min_length=1)] = ("isc", "fid"),
    ) -> None:
        if (reason := _unreadable(dataset, extractor)) or dataset.value_range is None:
            raise UnfitError(f"metric 'fidelity': {reason}")
        if count < splits:
            raise UserError(f"metrics.fidelity.count {count} is less than metrics.fidelity.splits {splits}")
        self.dataset = dataset
        self.value_range: Range = dataset.value_range
        self.extractor = extractor
        self.weights = weights
        self.count = count
        self.splits = splits
        self.measures = measures
        self.part: Part = "test"
        self.device = torch.device("cpu")
        self.samples: list[Tensor] = []

    def feed(self, method: Method, part: Part) -> Iterator[tuple[Tensor, ...]]:
        """Batches of samples (b, *X); `part` is what they will be compared with."""
        self.part, self.device = part, evaluation.device_of(method)
        return ((x,) for x in evaluation.samples(method, self.count))

    def update(self, *batch: Tensor) -> None:
        """Take in samples (b, *X) in the data set's range; values outside it are refused."""
        (x,) = batch
        if tuple(x.shape[1:]) != tuple(self.dataset.x_shape):
            raise UserError(f"Samples have shape {tuple(x.shape)}, (B, *{self.dataset.x_shape}) is needed")
        self.samples.append(to_uint8(x, self.value_range).cpu())

    def compute(self) -> Score:
        """The scores of all samples so far."""
        samples = _Images(torch.cat(self.samples))
        reference = None if set(self.measures) == {"isc"} else _Reference(self.dataset, self.part)
        subset = min(1000, len(samples), len(reference or samples))
        found = measured(
            samples,
            reference,
            self.measures,
            INCEPTION if self.extractor == "inception" else digits_extractor(),
            self._weights,
            self.device,
            isc_splits=self.splits,
            kid_subset_size=subset,
        )
        values = {ours: found[theirs] for ours, theirs in FIELDS.items() if theirs in found}
        return Score(self.name, values, self._protocol(len(samples), len(reference or ()), subset))

    def unfit(self, method: Method) -> str | None:
        """Without the extractor's weights nothing can be measured; Inception's are downloaded for this."""
        try:
            self._weights  # noqa: B018 - found, checked, and kept
        except UserError as error:
            return str(error)
        if self.extractor == "digits" and self.dataset.x_shape[0] == 3 and _coloured(self.dataset):
            return (
                "the channels of its images differ, and the digit scorer reads grey ones; stacked-modes "
                "counts digits stacked as colours"
            )
        return None

    @cached_property
    def _weights(self) -> Path:
        path = Path(self.weights) if self.weights else None
        if self.extractor == "inception":
            return inception_weights(path)
        path = path or scorer.default_path()
        scorer.load(path, self.name)
        return path

    def _protocol(self, samples: int, reference: int, subset: int) -> dict[str, Any]:
        import torch_fidelity

        low, high = self.value_range
        protocol: dict[str, Any] = {
            "dataset": self.dataset.name,
            "samples": samples,
            "resolution": list(self.dataset.x_shape),
            "pixels": f"uint8, rounded from [{low:g}, {high:g}]",
            "resize": "none" if self.extractor == "digits" else "Inception's own to 299, bilinear as TF 1.x",
            "extractor": self.extractor,
            "weights_sha256": scorer.digest(self._weights),
            "library": f"torch-fidelity {torch_fidelity.__version__}",
            "library_seed": SEED,
            "model": "eval mode, with the weights given: a run's are averaged",
        }
        if reference:
            protocol |= {"reference_part": self.part, "reference_count": reference}
        if "isc" in self.measures:
            protocol["splits"] = self.splits
        if "kid" in self.measures:
            protocol["kid_subset_size"] = subset
        if self.extractor == "digits":
            _, facts = scorer.load(self._weights)
            protocol["scorer_accuracy"] = facts["accuracy"]
            protocol["isc_of_real_test_images"] = f"{facts['isc_mean']:.3f} ± {facts['isc_std']:.3f}"
        return protocol


def measured(
    samples: TorchDataset[Tensor],
    reference: TorchDataset[Tensor] | None,
    measures: tuple[Measure, ...],
    extractor: str,
    weights: Path,
    device: torch.device,
    **settings: Any,
) -> dict[str, float]:
    """What torch-fidelity finds, by its own names; random states are left as they were."""
    from torch_fidelity import calculate_metrics

    place = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
    with place, RandomState.seeded(0).swapped_in():  # its data loader draws from torch's generator
        try:
            found = calculate_metrics(
                input1=samples,
                input2=reference,
                **dict.fromkeys(measures, True),
                feature_extractor=extractor,
                feature_extractor_weights_path=str(weights),
                cuda=device.type == "cuda",
                cache=False,  # it would unpickle whatever lies there
                save_cpu_ram=True,  # no worker processes; the results are the same
                rng_seed=SEED,
                verbose=False,
                **settings,
            )
        except RuntimeError as error:
            if "loading state_dict" not in str(error):
                raise
            raise UserError(f"{weights} holds other weights than '{extractor}' has") from None
    return {name: float(value) for name, value in found.items()}


def inception_weights(path: Path | None = None) -> Path:
    """The file of Inception's weights, torch-fidelity's own unless named, loaded safely once.

    Raises:
        UserError: it is neither there nor to be had, or holds something else. Nothing in it is executed.
    """
    if path is None:
        path = _downloaded()
    elif not path.is_file():
        raise UserError(f"metrics.fidelity.weights: there is no file {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how it was pickled: the error says enough
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        KeyError,
        pickle.UnpicklingError,
        BadZipFile,
    ) as error:
        reason = " ".join(str(error).split())[:80]
        raise UserError(f"{path} is no file of weights that can be loaded safely: {reason}") from None
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise UserError(f"{path} holds no state dict of tensors, as torch-fidelity's Inception has it")
    return path


def _downloaded() -> Path:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3 as URL

    name = URL.rsplit("/", 1)[1]
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _impatient():
            # Written beside and moved when its sum is right; the name ends with the sum's beginning.
            start = path.stem.rsplit("-", 1)[1]
            torch.hub.download_url_to_file(URL, str(path), hash_prefix=start, progress=False)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:80]
        raise UserError(
            f"Inception's weights are missing and cannot be downloaded ({reason}): put {name} into "
            f"{path.parent}, or name a file with metrics.fidelity.weights=FILE"
        ) from None
    return path


@contextmanager
def _impatient() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@cache
def digits_extractor() -> str:
    """The name of the digit scorer among torch-fidelity's extractors; registered at the first call."""
    from torch_fidelity import FeatureExtractorBase, register_feature_extractor
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

    class DigitsExtractor(FeatureExtractorBase):  # type: ignore[misc]
        """The scorer's hidden layer and logits."""

        def __init__(
            self, name: str, features_list: list[str], feature_extractor_weights_path: str = "", **_: Any
        ) -> None:
            super().__init__(name, features_list)
            self.scorer, _facts = scorer.load(Path(feature_extractor_weights_path))

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

    if DIGITS not in FEATURE_EXTRACTORS_REGISTRY:  # a second registration would raise
        register_feature_extractor(DIGITS, DigitsExtractor)
    return DIGITS


class _Images(TorchDataset[Tensor]):
    """uint8 images (N, C, H, W) that are in memory."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Tensor:
        return self.images[i]


class _Reference(TorchDataset[Tensor]):
    """One part of a data set as uint8 images, read when they are asked for: it may not fit into memory."""

    def __init__(self, dataset: Dataset, part: Part) -> None:
        self.dataset = dataset
        self.split = dataset.split(part)
        self.rng = torch.Generator()

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, i: int) -> Tensor:
        return self.__getitems__([i])[0]

    def __getitems__(self, chosen: list[int]) -> list[Tensor]:
        """A whole batch at once; what is random in it depends on where it starts alone."""
        raw = self.split.take(torch.tensor(chosen), self.rng.manual_seed(chosen[0]))
        return list(to_uint8(self.dataset.scale(raw), self.dataset.value_range or (0.0, 1.0)))


def _unreadable(dataset: Dataset, extractor: str) -> str:
    """Why the extractor does not read the data set's images, or nothing."""
    shape = tuple(dataset.x_shape)
    if len(shape) != 3 or dataset.value_range is None:
        return f"data set '{dataset.name}' has no images of a known range"
    if extractor == "inception" and shape[0] != 3:
        return (
            f"Inception reads colour images, and data set '{dataset.name}' has {shape[0]} channel(s), which "
            "are not copied; metrics.fidelity.extractor=digits scores grey digits"
        )
    if extractor == "digits" and shape not in {(1, scorer.SIZE, scorer.SIZE), (3, scorer.SIZE, scorer.SIZE)}:
        return f"the digit scorer reads 28×28 digits, and data set '{dataset.name}' has {shape}"
    return ""


def _coloured(dataset: Dataset) -> bool:
    x = dataset.scale(dataset.split("test").take(torch.arange(1), torch.Generator().manual_seed(0)))
    return not bool((x == x[:, :1]).all())


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the metric."""
    return [Fidelity]
