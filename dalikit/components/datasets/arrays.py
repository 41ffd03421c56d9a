"""Arrays in a file: .npy, or .npz with one or several."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from dalikit.data import arrayfiles, prepared, telling
from dalikit.data.gathering import size_of
from dalikit.data.images import FLIPPED, AbsolutePath, ImageSplit, short_name
from dalikit.data.reading import done
from dalikit.data.splits import PARTS, SplitSeed, check_parts, digests, divide
from dalikit.errors import UserError
from dalikit.functional.fitting import MODES, Fitting, How
from dalikit.hookspecs import offer
from dalikit.interfaces import Dataset, DataSpec, Part, Standardization

DALIKIT_API = 2

RULES = 1
"""Raised when the same images would be fitted differently, so that they are prepared again."""

Side = Annotated[int, Field(ge=1, le=4096)]


class Arrays(Dataset):
    """Images (N, H, W) or (N, H, W, C) in [-1, 1], or vectors (N, D), unbounded.

    Images are uint8, or floats between `low` and `high`; all are looked at before training, and none may lie
    outside. Those of uint8 with 1, 3 or 4 channels are fitted to one size, on white where they are
    transparent. Each column of vectors, whole numbers or floats, is centred and scaled by the training part.
    An .npz file may have `train_images` and `test_images`, with `train_labels` and `test_labels` or without;
    else it has one array, with `labels` or without. What part is not given is chosen by a hash of each row.

    Args:
        path: the file.
        size: S for S×S pixels, or [H, W], of uint8. Unless told: their own, up to 64 a side; else 32 at most.
        how: what is done to another shape: `crop` the middle, `pad` with white, `stretch`.
        low, high: what -1 and 1 stand for, where images are floats.
        flip: whether training images are mirrored left to right at random.
        split_seed: of the hash that divides the rows.
    """

    name = "arrays"
    suffixes = arrayfiles.SUFFIXES

    def __init__(
        self,
        root: Path | None = None,
        /,
        *,
        path: AbsolutePath = "",
        size: Side | tuple[Side, Side] | None = None,
        how: How = "crop",
        low: float = 0.0,
        high: float = 1.0,
        flip: bool = False,
        split_seed: SplitSeed = 0,
    ) -> None:
        if not -math.inf < low < high < math.inf:
            raise UserError(f"dataset 'arrays': low {low} must be less than high {high}, and both finite")
        self.root = root or prepared.data_root()
        self.low, self.high = low, high
        self.size, self.how = size, how
        self.flip = flip
        self.split_seed = split_seed
        self.file = arrayfiles.read(Path(path), low, high)
        shape = self.file.data["train"].shape[1:]
        if self.file.vectors:
            self._describe_vectors(*shape)
        else:
            self._describe_images(*shape)

    def _describe_vectors(self, size: int) -> None:
        if self.flip:
            raise UserError(f"dataset 'arrays': {self.file.path} holds vectors, and flip is for images")
        self._refuse_fitting("vectors")
        self.backbone = "mlp"
        self.spec = DataSpec((size,), None, self._classes)

    def _describe_images(self, height: int, width: int, channels: int = 1) -> None:
        if self.file.pictures:
            channels = 1 if channels == 1 else 3
            height, width = self._sides(height, width)
        else:
            self._refuse_fitting(f"{self.file.data['train'].dtype} of {channels} channels")
        self.spec = DataSpec((channels, height, width), (-1.0, 1.0), self._classes)
        if self.file.data["train"].dtype != np.uint8:
            self.float_range = (self.low, self.high)
        if channels in MODES:
            sides = {"height": height, "width": width, "channels": channels, "how": self.how}
            self.fitting = Fitting.model_validate(sides)

    def _sides(self, height: int, width: int) -> tuple[int, int]:
        """H and W of the data, by those of the images in the file."""
        size = self.size
        if size is None:
            self.settled = {"size": size_of([(width, height)], least=1)}
            size = self.settled["size"].value
        return (size, size) if isinstance(size, int) else (size[0], size[1])

    def _refuse_fitting(self, what: str) -> None:
        if self.size is not None or self.how != "crop":
            raise UserError(
                f"dataset 'arrays': {self.file.path} holds {what}, and size and how are for uint8 images of "
                "1, 3 or 4 channels"
            )

    @cached_property
    def preparation(self) -> str:  # type: ignore[override]  # read only, and read late
        """Which file it is, whatever folder it lies in, and what is made of it."""
        given = ", ".join(f"{part} {array.dtype} {array.shape}" for part, array in self.file.data.items())
        images = self.file.data["train"].dtype == np.uint8
        scaled = f"{self._fits}{'' if images else f' from {self.low:g} to {self.high:g}'}, scaled to [-1, 1]"
        if self.file.vectors:
            scaled = (
                ", each column centred and scaled by its mean and standard deviation in the training part"
            )
        return (
            f"arrays of {short_name(self.file.path)}, state {self.file.stamp()}: {given}{scaled}; "
            f"{telling.parts_of(self)} for train, validation and test, what is not given by a hash of each "
            f"row and split_seed {self.split_seed}{FLIPPED if self.flip else ''}"
        )

    def split(self, part: Part) -> ImageSplit:
        """The part as it lies in the file; of vectors, centred and scaled."""
        own = "test" if part == "test" and "test" in self.file.data else "train"
        rows, labels = self._rows[part], self.file.labels.get(own)
        indices = None if labels is None else np.searchsorted(self._labels, labels)
        if self.standardization is not None:
            return VectorSplit(self.file.data[own], indices, self.standardization, rows)
        return ImageSplit(self._images[own], indices, self.flip and part == "train", rows)

    def scale(self, raw: Tensor) -> Tensor:
        """Images from 0…255 (uint8) or low…high (floats) into [-1, 1]; vectors as they are."""
        if raw.dtype == torch.uint8 or self.file.vectors:
            return super().scale(raw)
        return (raw.float() - self.low) * (2 / (self.high - self.low)) - 1

    @cached_property
    def standardization(self) -> Standardization | None:  # type: ignore[override]  # likewise
        """Of vectors: mean and standard deviation of each column in the training part, 1 where it is 0."""
        if not self.file.vectors:
            return None
        rows, data = self._rows["train"], self.file.data["train"]
        mean = sum(chunk.sum(0) for chunk in _chunks(data, rows)) / len(rows)
        square = sum(np.square(chunk - mean).sum(0) for chunk in _chunks(data, rows)) / len(rows)
        deviation = np.sqrt(square)
        constant = deviation <= 1e-9 * np.abs(mean)  # what rounding leaves of a column of one number
        return tuple(mean.tolist()), tuple(np.where(constant, 1.0, deviation).tolist())

    def introduction(self) -> Sequence[str]:
        """How many data and classes, how they are divided, and what is odd about them."""
        counts = telling.class_counts(self)
        sides = self.file.data["train"].shape[2:0:-1]
        what, size = "images", f"{'×'.join(map(str, sides))} px{self._fits}"
        if self.file.vectors:
            what, size = f"vectors of {self.spec.x_shape[0]} numbers", "centred and scaled"
        by = "with the test part as given" if "test" in self.file.data else "by a hash of their content"
        lone = telling.lone_classes(counts)
        if len(self._labels) == 1:
            lone = f"one class only ({self._labels[0]}), which labels nothing"
        line = f"{sum(map(len, self.file.data.values())):,} {what}{telling.classes(counts)}"
        hint = "" if self.file.vectors else telling.flip_hint(self, self.flip)
        said = "; ".join(remark for remark in (lone, hint) if remark)
        more = [said[0].upper() + said[1:]] if said else []
        return (f"{line} → {telling.parts_of(self)} {by}; {size}", *more)

    @property
    def path(self) -> Path:
        """The prepared file of images that had to be fitted."""
        made = f"{self.file.stamp()} {self.fitting} {RULES}".encode()
        stamp = hashlib.sha256(made).hexdigest()[:12]
        return self.root / f"arrays-{short_name(self.file.path)}-{stamp}.npz"

    @property
    def _fits(self) -> str:
        """What is done to images: ", centre-cropped and resized to 32×32"; nothing where they stay."""
        shape = self.file.data["train"].shape
        if not self.file.pictures or self.fitting is None:
            return ""
        clear = ", on white where they are transparent" if shape[3:] == (4,) else ""
        _, *fitted = done(self.fitting, [(shape[2], shape[1])]).split(", ")
        return "".join(f", {what}" for what in fitted) + clear

    @cached_property
    def _images(self) -> Mapping[str, np.ndarray]:
        """Images by the part that they are for, fitted."""
        if not self.file.pictures or self.fitting is None:
            return self.file.data
        return self.file.fitted(self.fitting, self.path)

    @cached_property
    def _rows(self) -> dict[Part, np.ndarray]:
        """For each part which rows of its array make it."""
        found = np.concatenate([_digests(array) for array in self.file.data.values()])
        count = len(self.file.data["train"])
        given = np.where(np.arange(len(found)) < count, 0, PARTS.index("test"))
        rows = divide(found, self.split_seed, given)
        check_parts(f"Data file {self.file.path}", rows)
        return {**rows, "test": rows["test"] - (count if "test" in self.file.data else 0)}

    @cached_property
    def _labels(self) -> np.ndarray:
        """The labels that occur in any part, in order."""
        return np.unique(np.concatenate([np.empty(0, np.int64), *map(_whole, self.file.labels.values())]))

    @property
    def _classes(self) -> tuple[str, ...] | None:
        return tuple(str(label) for label in self._labels) if len(self._labels) > 1 else None


class VectorSplit(ImageSplit):
    """Vectors (N, D) of any numbers, given as x = (v - mean) / divisor in 32 bits."""

    def __init__(
        self, data: np.ndarray, labels: np.ndarray | None, standardization: Standardization, rows: np.ndarray
    ) -> None:
        super().__init__(data, labels, rows=rows)
        self._mean, self._divisor = map(np.array, standardization)

    def _data(self, chosen: np.ndarray) -> Tensor:
        x = (chosen.astype(np.float64) - self._mean) / self._divisor
        return torch.from_numpy(x.astype(np.float32))


def _whole(labels: np.ndarray) -> np.ndarray:
    return labels.astype(np.int64)


def _digests(data: np.ndarray) -> np.ndarray:
    """What stands for the content of each row, some read at once."""
    step = prepared.rows_at_once(data.shape, data.dtype)
    return np.concatenate(
        [digests(np.asarray(data[start : start + step])) for start in range(0, len(data), step)]
    )


def _chunks(data: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of an array as floats of 64 bits, some at once."""
    step = prepared.rows_at_once(data.shape, np.dtype(np.float64))
    return (data[rows[start : start + step]].astype(np.float64) for start in range(0, len(rows), step))


dalikit_components = offer(Arrays)
