"""Arrays in a file: .npy, or .npz with one or several."""

import hashlib
import math
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dalikit.data import prepared
from dalikit.data.images import FLIPPED, AbsolutePath, ImageSplit, check_labels, divided, enough, short_name
from dalikit.errors import UserError
from dalikit.hookspecs import offer
from dalikit.interfaces import Dataset, DataSpec, Part

DALIKIT_API = 2

SAMPLES = 64
"""MiB of a file, spread evenly over it, of which its stamp is made: a smaller one is read whole."""

CHANNELS = (1, 2, 3, 4)
"""What tells channels from sides."""


class Arrays(Dataset):
    """Images (N, H, W) or (N, H, W, C) in [-1, 1], from uint8 or from floats between `low` and `high`.

    An .npz file may have `train_images` and `test_images` (and `_labels` of each); any other file must hold
    one array, whose last tenth is the test part. The validation part is the last tenth of the training part.
    Floats are all looked at before training: none may lie outside `low` to `high`.

    Args:
        path: the file.
        low, high: what -1 and 1 stand for, where the array holds floats.
        flip: whether training images are mirrored left to right at random.
    """

    name = "arrays"

    def __init__(
        self, *, path: AbsolutePath = "", low: float = 0.0, high: float = 1.0, flip: bool = False
    ) -> None:
        if not -math.inf < low < high < math.inf:
            raise UserError(f"dataset 'arrays': low {low} must be less than high {high}, and both finite")
        self.file = Path(path)
        self.low, self.high = low, high
        self.flip = flip
        shape = self._images["train"].shape[1:]
        x_shape = (1, *shape) if len(shape) == 2 else (shape[2], shape[0], shape[1])
        self.spec = DataSpec(x_shape, (-1.0, 1.0), self._classes)

    @cached_property
    def preparation(self) -> str:  # type: ignore[override]  # read only, and read late
        """Which file it is, whatever folder it lies in, and what is made of it."""
        train, test = (self._images[part] for part in ("train", "test"))
        ends = "" if train.dtype == np.uint8 else f" from {self.low:g} to {self.high:g}"
        return (
            f"arrays of {short_name(self.file)}, state {_stamp(self.file)}: train {train.dtype} "
            f"{train.shape}, test {test.dtype} {test.shape}{ends}, scaled to [-1, 1]; the last tenth of the "
            f"training part held out{FLIPPED if self.flip else ''}"
        )

    def split(self, part: Part) -> ImageSplit:
        """The part as it lies in the file."""
        arrays = {name: self._part(name) for name in ("train", "test")}
        return divided(arrays, part, len(self._images["train"]), self.flip)

    def scale(self, raw: Tensor) -> Tensor:
        """uint8 from 0…255, floats from low…high, into [-1, 1]."""
        if raw.dtype == torch.uint8:
            return super().scale(raw)
        return (raw.float() - self.low) * (2 / (self.high - self.low)) - 1

    def _part(self, part: str) -> tuple[np.ndarray, np.ndarray | None]:
        labels = self._arrays.get(f"{part}_labels")
        return self._images[part], None if labels is None else np.searchsorted(self._labels, labels)

    @cached_property
    def _labels(self) -> np.ndarray:
        """The labels that occur in any part, in order."""
        found = [self._arrays.get(f"{part}_labels", np.empty(0)) for part in ("train", "test")]
        return np.unique(np.concatenate([labels.astype(np.int64) for labels in found]))

    @property
    def _classes(self) -> tuple[str, ...] | None:
        return tuple(str(label) for label in self._labels) or None

    @cached_property
    def _images(self) -> dict[str, np.ndarray]:
        if "train_images" in self._arrays and "test_images" in self._arrays:
            parts = {part: self._arrays[f"{part}_images"] for part in ("train", "test")}
        elif len(self._arrays) == 1:
            (array,) = self._arrays.values()
            self._check_shape(array)  # before it is divided
            kept = len(array) - max(1, len(array) // 10)
            parts = {"train": array[:kept], "test": array[kept:]}
        else:
            raise UserError(
                f"Data file {self.file} holds {', '.join(self._arrays) or 'nothing'}: train_images and "
                "test_images, or one array alone, are needed"
            )
        for part, array in parts.items():
            self._check_shape(array)
            if array.dtype != np.uint8:
                self._check_range(array)
            enough(self.file, len(array), part)
            check_labels(self.file, part, array, self._arrays.get(f"{part}_labels"))
        if parts["train"].shape[1:] != parts["test"].shape[1:]:
            shapes = " and ".join(str(array.shape) for array in parts.values())
            raise UserError(f"Data file {self.file}: images of train and test are {shapes}, not of one size")
        return parts

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        if self.file.suffix not in (".npy", ".npz"):
            raise UserError(
                f"dataset 'arrays': '{self.file}' is no .npy or .npz: --set dataset.path=FILE names one"
            )
        if self.file.suffix == ".npz":
            return prepared.read(self.file)
        return {"images": prepared.read_array(self.file)}

    def _check_shape(self, array: np.ndarray) -> None:
        shape, dtype = array.shape, array.dtype
        if array.ndim not in (3, 4) or 0 in shape[1:]:
            raise UserError(f"Data file {self.file}: images are {shape}, (N, H, W) or (N, H, W, C) is needed")
        if array.ndim == 4 and shape[3] not in CHANNELS and shape[1] in CHANNELS:
            raise UserError(
                f"Data file {self.file}: images of {shape} seem to be (N, C, H, W), (N, H, W, C) is needed"
            )
        if dtype != np.uint8 and (dtype.kind != "f" or dtype.itemsize > 8):
            raise UserError(
                f"Data file {self.file}: images are {dtype}, uint8 or floats are needed (of 64 bits at most)"
            )

    def _check_range(self, array: np.ndarray) -> None:
        """Read all of it once: one value out of range anywhere would be learned as any other."""
        least, most = (float(array.dtype.type(bound)) for bound in (self.low, self.high))  # as it rounds them
        step = prepared.rows_at_once(array.shape, array.dtype)
        for start in range(0, len(array), step):
            chunk = array[start : start + step]
            low, high = float(chunk.min()), float(chunk.max())
            if not (math.isfinite(low) and math.isfinite(high)):
                raise UserError(f"Data file {self.file}: images hold values that are NaN or infinite")
            if low < least or high > most:
                raise UserError(
                    f"Data file {self.file}: values {low:.9g} to {high:.9g} lie outside dataset.low "
                    f"{self.low:g} and dataset.high {self.high:g}: set those"
                )


def _stamp(file: Path) -> str:
    """Of the file's size and content, or of `SAMPLES` MiB of it; an .npz file ends with all its sums."""
    size, block = file.stat().st_size, 1 << 20
    stamp = hashlib.sha256(f"{size}".encode())
    last = max(0, size - block)
    with file.open("rb") as source:
        for start in sorted({last * sample // (SAMPLES - 1) for sample in range(SAMPLES)}):
            source.seek(start)
            stamp.update(source.read(block))
    return stamp.hexdigest()[:12]


dalikit_components = offer(Arrays)
