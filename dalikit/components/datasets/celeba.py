"""CelebA: 202,599 aligned faces, cropped at the centre and resized.

Source: Liu et al. 2015, "Deep Learning Face Attributes in the Wild".
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import Field

from dalikit import prepared
from dalikit.errors import UserError
from dalikit.hookspecs import hookimpl
from dalikit.images import PreparedImages, fitted, streamed

DALIKIT_API = 1

PARTITION = "list_eval_partition.txt"
FOLDERS = {0: "train", 1: "train", 2: "test"}
"""Official parts: 0 train, 1 validation, 2 test. Here validation is the end of the training images."""


class CelebA(PreparedImages):
    """(3, size, size) in [-1, 1], from the aligned images in the official layout.

    Args:
        size: the side in pixels.
        crop: the side of the centred square that is cut out of the 178×218 image first.
    """

    name = "celeba"

    def __init__(
        self, *, size: Annotated[int, Field(ge=8)] = 64, crop: Annotated[int, Field(ge=8, le=178)] = 148
    ) -> None:
        self.size = size
        self.crop = crop
        self.x_shape = (3, size, size)
        self.preparation = (
            f"CelebA aligned, centre crop {crop}, resized to {size}×{size} by Lanczos, in [-1, 1]; official "
            f"partition, the last {self.held_out} (or a tenth) of train and validation held out"
        )

    @property
    def path(self) -> Path:
        """The prepared file, which depends on size and crop."""
        return prepared.data_root() / f"celeba-{self.size}-{self.crop}.npz"

    def prepare(self, path: Path) -> None:
        """Write the prepared file from `celeba/` under the data root."""
        source = prepared.data_root() / "celeba"
        parts = self._partition(source)
        shape = (self.size, self.size, 3)
        files = {
            part: [source / "img_align_celeba" / name for name in names] for part, names in parts.items()
        }
        streams = {
            f"{part}_images": streamed(paths, shape, self._image, "CelebA") for part, paths in files.items()
        }
        prepared.write(path, streams)

    def _partition(self, source: Path) -> dict[str, Sequence[str]]:
        if not (source / PARTITION).is_file() or not (source / "img_align_celeba").is_dir():
            raise UserError(
                f"CelebA is not there: put {PARTITION} and the folder img_align_celeba (from "
                f"img_align_celeba.zip) into {source}; --data-root names another folder"
            )
        parts: dict[str, list[str]] = {"train": [], "test": []}
        for number, line in enumerate((source / PARTITION).read_text(encoding="utf-8").splitlines(), 1):
            name, _, part = line.partition(" ")
            if part.strip() not in {"0", "1", "2"}:
                raise UserError(
                    f"{source / PARTITION}, line {number}: '{line}' is not an image and 0, 1 or 2"
                )
            parts[FOLDERS[int(part)]].append(name)
        return dict(parts)

    def _image(self, path: Path) -> np.ndarray:
        try:
            with Image.open(path) as image:
                return fitted(image, self.size, "RGB", min(self.crop, *image.size))
        except OSError as error:
            raise UserError(f"Image {path}: {error.strerror or error}") from None


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the data set."""
    return [CelebA]
