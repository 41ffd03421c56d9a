"""Image data sets: uint8 arrays with labels, prepared once and read from there."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, TypeVar

import numpy as np
import torch
from pydantic import AfterValidator
from torch import Tensor

from dalikit.data import prepared
from dalikit.data.official import is_official
from dalikit.errors import UserError
from dalikit.interfaces import Batch, Dataset, Part, Shape, Split, Stamp
from dalikit.interfaces.data import count_labels

NAME_BYTES = 100
"""As much of a folder's name as goes into the name of another file: file systems take 255 bytes."""

AbsolutePath = Annotated[str, AfterValidator(lambda path: path and str(Path(path).absolute()))]
"""A path that is stored absolute, so that a run finds its data from any folder; "" stays what it is."""

FLIPPED = "; in training each image is mirrored left to right or not, at random, whenever it is read"
"""What a data set's `preparation` ends with where its setting `flip` is on."""

Labelled = tuple[np.ndarray, np.ndarray | None]
Step = TypeVar("Step")


class ImageSplit(Split):
    """Images (N, H, W) or (N, H, W, C), uint8 or floats, in memory or mapped, with labels (N,) or none.

    With `rows` (n,) those alone, and their labels, make the part. With `flip` each is mirrored left to right
    with probability ½, whenever it is taken.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | None = None,
        flip: bool = False,
        rows: np.ndarray | None = None,
    ) -> None:
        self._images = images
        self._labels = labels
        self._flip = flip
        self._rows = np.arange(len(images)) if rows is None else rows

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, index: Tensor, rng: torch.Generator) -> Batch:
        """Images (n, C, H, W) at `index`, and their labels."""
        at = self._rows[index.numpy()]
        x = self._data(self._images[at])
        if self._flip:
            x = torch.where(torch.rand(len(x), 1, 1, 1, generator=rng) < 0.5, x.flip(3), x)
        return Batch(x, self._labels_of(at))

    def stamp(self) -> Stamp:
        """Of the images as they lie in their array, none of them mirrored, and of all labels."""

        def read(index: Tensor) -> Batch:
            at = self._rows[index.numpy()]
            return Batch(_native(self._images[at]), self._labels_of(at))

        return Stamp.of_data(len(self), read)

    def _data(self, chosen: np.ndarray) -> Tensor:
        rows = _native(chosen)
        return rows[:, None] if rows.dim() == 3 else rows.permute(0, 3, 1, 2).contiguous()

    def _labels_of(self, at: np.ndarray) -> Tensor | None:
        return None if self._labels is None else torch.from_numpy(self._labels[at].astype(np.int64))

    def class_counts(self, classes: int) -> Tensor:
        """How many data bear each label, (classes,); no image is read."""
        labels = np.empty(0) if self._labels is None else self._labels[self._rows]
        return count_labels(torch.from_numpy(labels.astype(np.int64)), classes)


class PreparedImages(Dataset, ABC):
    """Images that are prepared once into an .npz file under the data root, and read from there ever after.

    The validation part is the last `held_out` images of the training part, or a tenth of it where that is
    less.
    """

    backbone = "dcgan"
    title: ClassVar[str]
    """What the data are called where they are the official ones (`data.official`); else it is `name`."""
    expected: ClassVar[int | None] = None
    """How many there will be to train on once they are prepared from their own source."""
    held_out: ClassVar[int] = 5000
    file_shape: ClassVar[Shape | None] = None
    """The shape (C, H, W) of the images in the file, where `scale` changes it; `x_shape` unless told."""
    flip: bool = False
    """Whether the training part is flipped; a setting of those data sets whose images may be."""

    def __init__(self, root: Path | None = None, /) -> None:
        self.root = root or prepared.data_root()

    @property
    def train_count(self) -> int | None:  # type: ignore[override]
        """As many as the prepared file has, by its head alone; before there is one, those `expected`."""
        found = prepared.shapes(self.path) if self.path.exists() else {}
        if not (shape := found.get("train_images", ((), None))[0]):
            return self.expected
        return shape[0] - validated(shape[0], self.held_out)

    @cached_property
    def preparation(self) -> str:  # type: ignore[override]  # read only, and read late
        """What lies in the prepared file, counted; 'official' is what is known by its content."""
        _, height, width = self.file_shape or self.spec.x_shape
        size = self.spec.x_shape[1:]
        enlarged = "" if size == (height, width) else f", enlarged bilinearly to {size[0]}×{size[1]}"
        called, told = told_content(self.name, self.title, self.path, self.stamp)
        return (
            f"{called}, {height}×{width} uint8 scaled to [-1, 1]{enlarged}; {told}, the last "
            f"{self.stamp['validation'].count:,} of training held out{FLIPPED if self.flip else ''}"
        )

    @property
    def path(self) -> Path:
        """The prepared file."""
        return self.root / f"{self.name}.npz"

    @abstractmethod
    def prepare(self, path: Path) -> None:
        """Write the prepared file.

        Raises:
            UserError: the data cannot be had; the message says where to put which file.
        """

    def split(self, part: Part) -> ImageSplit:
        """The part as uint8 images."""
        return divided(self._arrays, part, self.held_out, self.flip)

    @cached_property
    def _arrays(self) -> dict[str, Labelled]:
        if not self.path.exists():
            self.prepare(self.path)
        arrays = prepared.read(self.path)
        return {part: self._checked(part, arrays) for part in ("train", "test")}

    def _checked(self, part: str, arrays: dict[str, np.ndarray]) -> Labelled:
        images, labels = arrays.get(f"{part}_images"), arrays.get(f"{part}_labels")
        if images is None:
            raise UserError(f"Data file {self.path} has no array '{part}_images'")
        channels, *size = self.file_shape or self.spec.x_shape
        shapes = [(*size, channels), *([tuple(size)] if channels == 1 else [])]
        if images.dtype != np.uint8 or images.shape[1:] not in shapes:
            raise UserError(
                f"Data file {self.path}: {part}_images are {images.dtype} {images.shape}, "
                f"uint8 (N, {', '.join(map(str, shapes[-1]))}) is needed"
            )
        enough(self.path, len(images), part)
        check_labels(self.path, f"{part}_labels", images, labels)
        return images, labels


def _native(rows: np.ndarray) -> Tensor:
    """Rows of an array as a tensor, in this machine's order of bytes."""
    return torch.from_numpy(rows.astype(rows.dtype.newbyteorder("="), copy=False))


def told_content(name: str, title: str, path: Path, stamps: Mapping[Part, Stamp]) -> tuple[str, str]:
    """What the data in a prepared file are called, and how many they are for training and for testing."""
    count = {part: stamp.count for part, stamp in stamps.items()}
    counts = f"{count['train'] + count['validation']:,} and {count['test']:,}"
    official = is_official(name, stamps)
    if official:
        return title, f"the official {counts}"
    return name, f"{counts} images of {path.name}" + ("" if official is None else f", which are not {title}")


def validated(count: int, most: int) -> int:
    """How many of `count` training images are the validation part: a tenth, and `most` at most."""
    return max(1, min(most, count // 10))


def divided(arrays: Mapping[str, Labelled], part: Part, held_out: int, flip: bool) -> ImageSplit:
    """A part of `train` and `test`: validation is the last tenth of train, of `held_out` images at most."""
    images, labels = arrays["test" if part == "test" else "train"]
    kept = len(images) - validated(len(images), held_out)
    span = {"train": slice(0, kept), "validation": slice(kept, None), "test": slice(None)}[part]
    return ImageSplit(images[span], None if labels is None else labels[span], flip and part == "train")


def enough(path: Path, count: int, part: str) -> None:
    """Raise `UserError` unless there is an image to test with, or one to learn from and one to hold out."""
    if count < (needed := 2 if part == "train" else 1):
        raise UserError(
            f"Data file {path} has {count} images for its {part} part, {needed} at least are needed"
        )


def check_labels(path: Path, name: str, images: np.ndarray, labels: np.ndarray | None) -> None:
    """Raise `UserError` unless there are no labels, the array `name`, or a whole number for each image."""
    if labels is None or (labels.shape == (len(images),) and labels.dtype.kind in "iu"):
        return
    raise UserError(
        f"Data file {path}: {name} are {labels.dtype} {labels.shape}, whole numbers ({len(images)},) "
        "are needed"
    )


def track(steps: Sequence[Step], what: str) -> Iterable[Step]:
    """The steps, under a progress bar where somebody looks at one."""
    from rich.console import Console
    from rich.progress import track

    shown = Console(stderr=True)
    return track(steps, what, console=shown, disable=not shown.is_terminal)


def stream_images(
    files: Sequence[Path], shape: tuple[int, ...], image: Callable[[Path], np.ndarray], what: str
) -> prepared.Stream:
    """uint8 images of `shape`, each made by `image(file)` when it is written, under a progress bar."""
    whole_shape, dtype = (len(files), *shape), np.dtype(np.uint8)
    step = prepared.rows_at_once(whole_shape, dtype)

    def chunks() -> Iterator[np.ndarray]:
        buffer = np.empty((min(step, len(files)), *shape), dtype)
        for start in track(range(0, len(files), step), what):
            chunk = files[start : start + step]
            for row, file in enumerate(chunk):
                buffer[row] = image(file)
            yield buffer[: len(chunk)]

    return prepared.Stream(whole_shape, dtype, chunks())


def whole(array: np.ndarray) -> prepared.Stream:
    """An array that is in memory; in chunks, for what is not contiguous is copied to be written."""
    step = prepared.rows_at_once(array.shape, array.dtype)
    chunks = (array[start : start + step] for start in range(0, len(array), step))
    return prepared.Stream(array.shape, array.dtype, chunks)


def short_name(path: Path) -> str:
    """The last part of a path, cut to `NAME_BYTES` and to what is text: for file names and for JSON."""
    return os.fsencode(path.name)[:NAME_BYTES].decode("utf-8", "ignore")
