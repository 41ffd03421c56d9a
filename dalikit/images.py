"""Image data sets: uint8 arrays with labels, prepared once and read from there; images fitted to a size."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dalikit import prepared
from dalikit.errors import UserError
from dalikit.interfaces import Dataset, Part, Split

CHUNK = 256
"""Images that are held at once while a data set is prepared."""

Labelled = tuple[np.ndarray, np.ndarray | None]


class ImageSplit(Split):
    """uint8 images (N, H, W) or (N, H, W, C), in memory or mapped, with labels (N,) where they have any."""

    def __init__(self, images: np.ndarray, labels: np.ndarray | None = None) -> None:
        self._images = images
        self._labels = labels

    def __len__(self) -> int:
        return len(self._images)

    def take(self, index: Tensor, rng: torch.Generator) -> Tensor:
        """Images (n, C, H, W) at `index`."""
        rows = torch.from_numpy(self._images[index.numpy()])
        return rows[:, None] if rows.dim() == 3 else rows.permute(0, 3, 1, 2).contiguous()

    def labels(self, index: Tensor) -> Tensor | None:
        """Labels (n,) at `index`."""
        return None if self._labels is None else torch.from_numpy(self._labels[index.numpy()]).long()


class PreparedImages(Dataset, ABC):
    """Images that are prepared once into an .npz file under the data root, and read from there ever after.

    The validation part is the last `held_out` images of the training part, or a tenth of it where that is
    less.
    """

    value_range = (-1.0, 1.0)
    backbone = "dcgan"
    held_out: ClassVar[int] = 5000

    @property
    def path(self) -> Path:
        """The prepared file."""
        return prepared.data_root() / f"{self.name}.npz"

    @abstractmethod
    def prepare(self, path: Path) -> None:
        """Write the prepared file.

        Raises:
            UserError: the data cannot be had; the message says where to put which file.
        """

    def split(self, part: Part) -> ImageSplit:
        """The part as uint8 images."""
        images, labels = self._arrays["test" if part == "test" else "train"]
        if part == "test":
            return ImageSplit(images, labels)
        kept = len(images) - min(self.held_out, len(images) // 10)
        span = slice(0, kept) if part == "train" else slice(kept, None)
        return ImageSplit(images[span], None if labels is None else labels[span])

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
        channels, *size = self.x_shape
        shapes = [(*size, channels), *([tuple(size)] if channels == 1 else [])]
        if images.dtype != np.uint8 or images.shape[1:] not in shapes:
            raise UserError(
                f"Data file {self.path}: {part}_images are {images.dtype} {images.shape}, "
                f"uint8 (N, {', '.join(map(str, shapes[-1]))}) is needed"
            )
        if labels is not None and labels.shape != (len(images),):
            raise UserError(
                f"Data file {self.path}: {part}_labels are {labels.shape}, ({len(images)},) is needed"
            )
        return images, labels


def streamed(
    files: Sequence[Path], shape: tuple[int, ...], image: Callable[[Path], np.ndarray], what: str
) -> prepared.Stream:
    """uint8 images of `shape`, each made by `image(file)` when it is written, under a progress bar."""

    def chunks() -> Iterator[np.ndarray]:
        from rich.console import Console
        from rich.progress import track

        shown = Console(stderr=True)
        for start in track(range(0, len(files), CHUNK), what, console=shown, disable=not shown.is_terminal):
            yield np.stack([image(file) for file in files[start : start + CHUNK]])

    return prepared.Stream((len(files), *shape), np.dtype(np.uint8), chunks())


def whole(array: np.ndarray) -> prepared.Stream:
    """An array that is in memory already."""
    return prepared.Stream(array.shape, array.dtype, [array])


def fitted(image: Image.Image, size: int, mode: str, crop: int | None = None) -> np.ndarray:
    """The centred square of side `crop` of an image, the largest unless told, resized to `size` by Lanczos.

    `mode` is "L" or "RGB"; the result is uint8 (size, size) or (size, size, 3).
    """
    side = crop or min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.convert(mode).crop((left, top, left + side, top + side))
    return np.asarray(square if side == size else square.resize((size, size), Image.Resampling.LANCZOS))
