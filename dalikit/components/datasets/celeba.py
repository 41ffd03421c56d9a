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
from dalikit.imagefiles import fitted, said
from dalikit.images import PreparedImages, streamed

DALIKIT_API = 1

PARTITION = "list_eval_partition.txt"
IMAGES = "img_align_celeba"
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
        """Write the prepared file from `celeba/` under the data root, downloaded if it is not there."""
        source = prepared.data_root() / "celeba"
        parts = self._partition(source)
        shape = (self.size, self.size, 3)
        files = {part: [source / IMAGES / name for name in names] for part, names in parts.items()}
        streams = {
            f"{part}_images": streamed(paths, shape, self._image, "CelebA") for part, paths in files.items()
        }
        prepared.write(path, streams)

    def _partition(self, source: Path) -> dict[str, Sequence[str]]:
        if not (source / PARTITION).is_file() or not (source / IMAGES).is_dir():
            self._download(source)
        parts: dict[str, list[str]] = {"train": [], "test": []}
        text = (source / PARTITION).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            name, *part = line.split()[:3] or [""]
            if part not in (["0"], ["1"], ["2"]):
                raise UserError(
                    f"{source / PARTITION}, line {number}: '{line}' is not an image and 0, 1 or 2"
                )
            parts[FOLDERS[int(part[0])]].append(name)
        if len(parts["train"]) < 2 or not parts["test"]:
            raise UserError(f"{source / PARTITION} names too few images for a train and a test part")
        return dict(parts)

    def _download(self, source: Path) -> None:
        """Have torchvision fetch and check the official files, which it keeps in the same layout."""
        import torchvision

        try:
            torchvision.datasets.CelebA(source.parent, split="all", download=True)
        except Exception as error:  # the package that talks to the server has errors of its own
            raise UserError(
                f"CelebA is not there and not to be had ({said(error)}): put {PARTITION} and the folder "
                f"{IMAGES} (from {IMAGES}.zip) into {source}; --data-root names another folder"
            ) from error

    def _image(self, path: Path) -> np.ndarray:
        try:
            with Image.open(path) as image:
                return fitted(image, self.size, "RGB", min(self.crop, *image.size))
        except Exception as error:  # decoders raise anything on a damaged file
            raise UserError(f"Image {path}: {said(error)}") from error


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the data set."""
    return [CelebA]
