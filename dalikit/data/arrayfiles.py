"""A .npy or .npz file of a user's: images or vectors with their labels, all looked at before training."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dalikit.data import prepared
from dalikit.data.images import check_labels, track
from dalikit.data.splits import check_count
from dalikit.data.values import check_finite
from dalikit.errors import UserError, shortened
from dalikit.functional.fitting import Fitting
from dalikit.plainfiles import open_plain

SAMPLES = 64
"""MiB of a file, spread evenly over it, of which its stamp is made: a smaller one is read whole."""

CHANNELS = (1, 2, 3, 4)
"""What tells channels from sides."""

PICTURE_CHANNELS = (1, 3, 4)
"""Those of grey and of colour, without transparency and with it."""

SUFFIXES = (".npy", ".npz")

LARGEST = float(np.finfo(np.float32).max)
"""The most that a number of a vector may be: x, and what it becomes again, are of 32 bits."""


@dataclass(frozen=True)
class ArrayFile:
    """Data (N, H, W), (N, H, W, C) or (N, D), and labels (N,), by the part that they are for.

    Attributes:
        data: under `train` and, where the file gives one, under `test`.
        labels: whole numbers, under the same names; those that there are.
    """

    path: Path
    data: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]

    @property
    def vectors(self) -> bool:
        """Whether data are (N, D)."""
        return self.data["train"].ndim == 2

    @property
    def pictures(self) -> bool:
        """Whether data are pictures, which can be fitted: uint8 in grey or colour, or with transparency."""
        channels = self.data["train"].shape[3:] or (1,)
        whole_bytes = all(array.dtype == np.uint8 for array in self.data.values())
        return whole_bytes and not self.vectors and channels[0] in PICTURE_CHANNELS

    def fitted(self, fitting: Fitting, path: Path) -> Mapping[str, np.ndarray]:
        """Its pictures by the part that they are for; what is not so already is fitted once, into `path`."""
        shapes = (fitting.shape, (*fitting.shape, 1) if fitting.channels == 1 else None)
        if self.data["train"].shape[1:] in shapes:
            return self.data
        if not path.exists():
            streams = {part: self._stream(array, fitting) for part, array in self.data.items()}
            prepared.write(path, streams)
        return prepared.read(path)

    def _stream(self, array: np.ndarray, fitting: Fitting) -> prepared.Stream:
        step = prepared.rows_at_once(array.shape, array.dtype)
        chunks = (
            np.stack([fitting.apply(picture_of(row)) for row in array[start : start + step]])
            for start in track(range(0, len(array), step), f"Preparing {self.path}")
        )
        return prepared.Stream((len(array), *fitting.shape), np.dtype(np.uint8), chunks)

    def stamp(self) -> str:
        """Of the file's size and content, or of `SAMPLES` MiB of it; an .npz file ends with all its sums."""
        size, block = self.path.stat().st_size, 1 << 20
        stamp = hashlib.sha256(f"{size}".encode())
        last = max(0, size - block)
        with open_plain(self.path) as source:
            for start in sorted({last * sample // (SAMPLES - 1) for sample in range(SAMPLES)}):
                source.seek(start)
                stamp.update(source.read(block))
        return stamp.hexdigest()[:12]


def picture_of(row: np.ndarray) -> Image.Image:
    """A uint8 image (H, W) or (H, W, C) as a picture."""
    return Image.fromarray(np.ascontiguousarray(row[..., 0] if row.shape[2:] == (1,) else row))


def read(path: Path, low: float, high: float) -> ArrayFile:
    """What the file holds; floats of images must lie between `low` and `high`.

    Raises:
        UserError: it cannot be read, or holds something else.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"dataset 'arrays': '{path}' is no .npy or .npz: --set dataset.path=FILE names one")
    arrays, sources = laid_out(path)
    for name, labels in sources.values():
        _check_shape(path, arrays[name])
        _check_values(path, name, arrays[name], low, high)
        check_labels(path, labels, arrays[name], arrays.get(labels))
    data = {part: arrays[name] for part, (name, _) in sources.items()}
    _check_sizes(path, data)
    return ArrayFile(path, data, {part: arrays[n] for part, (_, n) in sources.items() if n in arrays})


def laid_out(path: Path) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, str]]]:
    """The arrays of a file; and by the part that they are for, `train` first, the names of data and labels.

    Raises:
        UserError: the file cannot be read, or its arrays are none of the layouts of `ArrayFile`.
    """
    arrays = prepared.read(path) if path.suffix.lower() == ".npz" else {"images": prepared.read_array(path)}
    names = [name for name in arrays if not name.endswith("labels")]
    if "train_images" in names and "test_images" in names:
        return arrays, {part: (f"{part}_images", f"{part}_labels") for part in ("train", "test")}
    if len(names) == 1 and {*arrays} <= {*names, "labels"}:
        return arrays, {"train": (names[0], "labels")}
    raise UserError(
        f"Data file {path} holds {shortened(', '.join(arrays)) or 'nothing'}: train_images and test_images, "
        "or one array, alone or with labels, are needed"
    )


def _check_sizes(path: Path, data: Mapping[str, np.ndarray]) -> None:
    check_count(f"Data file {path} has too few data to train with", len(data["train"]))
    if not all(map(len, data.values())):
        raise UserError(f"Data file {path} has 0 data for its test part, 1 at least is needed")
    if len({array.shape[1:] for array in data.values()}) > 1:
        shapes = " and ".join(str(array.shape) for array in data.values())
        raise UserError(f"Data file {path}: data of train and test are {shapes}, not of one size")


def _check_shape(path: Path, array: np.ndarray) -> None:
    shape, dtype = array.shape, array.dtype
    if array.ndim not in (2, 3, 4) or 0 in shape[1:]:
        raise UserError(
            f"Data file {path}: data are {shape}; (N, H, W) or (N, H, W, C) is needed, or (N, D) for vectors"
        )
    if array.ndim == 4 and shape[3] not in CHANNELS and shape[1] in CHANNELS:
        raise UserError(
            f"Data file {path}: images of {shape} seem to be (N, C, H, W), (N, H, W, C) is needed"
        )
    what, kinds, needed = (
        ("vectors", "uif", "numbers") if array.ndim == 2 else ("images", "f", "uint8 or floats")
    )
    if dtype != np.uint8 and (dtype.kind not in kinds or dtype.itemsize > 8):
        raise UserError(f"Data file {path}: {what} are {dtype}, {needed} are needed (of 64 bits at most)")


def _check_values(path: Path, name: str, array: np.ndarray, low: float, high: float) -> None:
    """Read all of it once: one value out of range anywhere would be learned as any other."""
    if array.dtype.kind != "f":
        return
    least, most = (float(array.dtype.type(bound)) for bound in (low, high))  # as the array rounds them
    step = prepared.rows_at_once(array.shape, array.dtype)
    for start in range(0, len(array), step):
        chunk = array[start : start + step]
        check_finite(np.isfinite(chunk), f"Data file {path}, array '{name}'", start)
        first, last = float(chunk.min()), float(chunk.max())
        if array.ndim == 2 and max(-first, last) > LARGEST:
            raise UserError(
                f"Data file {path}: values {first:.3g} to {last:.3g} are too large to be centred and scaled: "
                "divide them beforehand"
            )
        if array.ndim > 2 and (first < least or last > most):
            raise UserError(
                f"Data file {path}: values {first:.9g} to {last:.9g} lie outside dataset.low {low:g} and "
                f"dataset.high {high:g}: set those"
            )
