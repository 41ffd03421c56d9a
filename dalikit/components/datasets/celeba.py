"""CelebA: 202,599 aligned faces, cropped at the centre and resized.

Source: Liu et al. 2015, "Deep Learning Face Attributes in the Wild".
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from dalikit.data import prepared
from dalikit.data.imagefiles import open_image, reason
from dalikit.data.images import FLIPPED, PreparedImages, stream_images
from dalikit.errors import UserError
from dalikit.functional.fitting import Fitting
from dalikit.hookspecs import offer
from dalikit.interfaces import DataSpec

DALIKIT_API = 2

PARTITION = "list_eval_partition.txt"
IMAGES = "img_align_celeba"
GIVEN = "celeba.npz"
"""A file that was prepared elsewhere."""

ALIGNED = 178
"""The shorter side of an aligned image."""

FOLDERS = {0: "train", 1: "train", 2: "test"}
"""Official parts: 0 train, 1 validation, 2 test. Here validation is the end of the training images."""


class CelebA(PreparedImages):
    """(3, size, size) in [-1, 1], from the aligned images in the official layout.

    Args:
        size: the side in pixels.
        crop: the side of the centred square that is cut out of the 178×218 image first.
        flip: whether training images are mirrored left to right at random.
    """

    name = "celeba"
    expected = 177_637
    fitting: Fitting

    def __init__(
        self,
        root: Path | None = None,
        /,
        *,
        size: Annotated[int, Field(ge=8, le=4096)] = 64,
        crop: Annotated[int, Field(ge=8, le=178)] = 148,
        flip: bool = False,
    ) -> None:
        super().__init__(root)
        self.size = size
        self.crop = crop
        self.flip = flip
        self.spec = DataSpec((3, size, size), (-1.0, 1.0))
        self.fitting = Fitting(height=size, width=size, channels=3, share=crop / ALIGNED)

    @cached_property
    def preparation(self) -> str:  # type: ignore[override]  # read only, and read late
        """What was made of how many images; of a file that somebody else prepared, no more than is known."""
        made, parts = f"{self.name}, centre crop {self.crop}, resized by Lanczos", f"by {PARTITION}"
        if self.path == self._given:
            made, parts = f"{self.name} as found in {GIVEN}", "by the parts of that file"
        train, validation, test = (stamp.count for stamp in self.stamp.values())
        return (
            f"{made}, {self.size}×{self.size} uint8 scaled to [-1, 1]; {train + validation:,} and {test:,} "
            f"images {parts}, the last {validation:,} of training held out{FLIPPED if self.flip else ''}"
        )

    @cached_property
    def path(self) -> Path:
        """The prepared file: `celeba.npz` if its images are of this size, else one for each size and crop."""
        if self._given.is_file():
            found = prepared.shapes(self._given)
            parts = [found.get(f"{part}_images", ((), None)) for part in ("train", "test")]
            if all(dtype == np.uint8 and shape[1:] == self._size for shape, dtype in parts):
                return self._given
        return self.root / f"celeba-{self.size}-{self.crop}.npz"

    @property
    def _given(self) -> Path:
        return self.root / GIVEN

    @property
    def _size(self) -> tuple[int, int, int]:
        return self.size, self.size, 3

    def prepare(self, path: Path) -> None:
        """Write the prepared file from `celeba/` under the data root, downloaded if it is not there."""
        source = self.root / "celeba"
        parts = self._partition(source)
        files = {part: [source / IMAGES / name for name in names] for part, names in parts.items()}
        streams = {
            f"{part}_images": stream_images(paths, self._size, self._image, "CelebA")
            for part, paths in files.items()
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
                f"CelebA is not there and not to be had ({reason(error)}): put {PARTITION} and the folder "
                f"{IMAGES} (from {IMAGES}.zip) into {source}, or a prepared file at {self._given}, "
                f"train_images and test_images of uint8 (N, {self.size}, {self.size}, 3) in it; --data-root "
                "names another folder"
            ) from error

    def _image(self, path: Path) -> np.ndarray:
        try:
            with open_image(path) as image:
                return self.fitting.apply(image)
        except Exception as error:  # decoders raise anything on a damaged file
            raise UserError(f"Image {path}: {reason(error)}") from error


dalikit_components = offer(CelebA)
