"""A tree of image files of any size and format."""

import hashlib
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from dalikit import prepared
from dalikit.errors import UserError
from dalikit.hookspecs import hookimpl
from dalikit.images import PreparedImages, fitted, streamed

DALIKIT_API = 1

TOLERATED = 0.03
"""The share of broken files from which the folder is refused."""

MODES: dict[int, str] = {1: "L", 3: "RGB"}


class Folder(PreparedImages):
    """Every image below `path`, its largest centred square resized: (channels, size, size) in [-1, 1].

    With folders `train` and `test` in it, those are the parts; else every tenth image, by name, is the test
    part. Broken files are listed and left out; more than 3 % of them are an error.

    Args:
        path: the folder.
        size: the side in pixels.
        channels: 1 for grey, 3 for colour.
    """

    name = "folder"

    def __init__(
        self,
        *,
        path: str = "",
        size: Annotated[int, Field(ge=8)] = 64,
        channels: Literal[1, 3] = 3,
    ) -> None:
        self.folder = Path(path)
        self.size = size
        self.channels = channels
        self.x_shape = (channels, size, size)
        self.preparation = (
            f"images of {path}, the largest centred square resized to {size}×{size} by Lanczos, "
            f"{'grey' if channels == 1 else 'colour'} uint8 scaled to [-1, 1]; a tenth of train held out"
        )

    @cached_property
    def path(self) -> Path:
        """The prepared file: another one when a file is added, removed or changed."""
        parts = self._files
        stamp = hashlib.sha256(f"{self.folder.resolve()} {self.x_shape}".encode())
        for path in [path for files in parts.values() for path in files]:
            status = path.stat()
            stamp.update(f"{path} {status.st_size} {status.st_mtime_ns}".encode())
        return prepared.data_root() / f"folder-{self.folder.resolve().name}-{stamp.hexdigest()[:12]}.npz"

    def prepare(self, path: Path) -> None:
        """Write the prepared file."""
        parts = self._readable()
        shape = (self.size, self.size) if self.channels == 1 else (self.size, self.size, 3)
        what = f"{self.folder}"
        streams = {
            f"{part}_images": streamed(files, shape, self._image, what) for part, files in parts.items()
        }
        prepared.write(path, streams)

    @cached_property
    def _files(self) -> dict[str, list[Path]]:
        if not self.folder.is_dir() or not str(self.folder) or self.folder == Path():
            raise UserError(
                f"dataset 'folder': '{self.folder}' is no folder: --set dataset.path=FOLDER names one"
            )
        if (self.folder / "train").is_dir() and (self.folder / "test").is_dir():
            parts = {part: _images_below(self.folder / part) for part in ("train", "test")}
        else:
            files = _images_below(self.folder)
            parts = {"train": [f for i, f in enumerate(files) if i % 10 != 9], "test": files[9::10]}
        for part, files in parts.items():
            if not files:
                raise UserError(f"dataset 'folder': {self.folder} has no images for its {part} part")
        return parts

    def _readable(self) -> dict[str, Sequence[Path]]:
        broken: dict[Path, str] = {}
        good: dict[str, Sequence[Path]] = {}
        for part, files in self._files.items():
            faults = {file: fault for file in files if (fault := _fault(file))}
            broken |= faults
            good[part] = [file for file in files if file not in faults]
        total = sum(len(files) for files in self._files.values())
        listed = "; ".join(f"{file}: {fault}" for file, fault in list(broken.items())[:10])
        if len(broken) > TOLERATED * total or not all(good.values()):
            raise UserError(f"dataset 'folder': {len(broken)} of {total} images cannot be read: {listed}")
        if broken:
            warnings.warn(f"{len(broken)} of {total} images are left out: {listed}", stacklevel=2)
        return good

    def _image(self, file: Path) -> np.ndarray:
        with Image.open(file) as image:
            return fitted(image, self.size, MODES[self.channels])


def _images_below(folder: Path) -> list[Path]:
    known = Image.registered_extensions()
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in known and p.is_file())


def _fault(file: Path) -> str | None:
    """Why an image cannot be read, or None where it can: decoded whole, for a torn file opens well enough."""
    try:
        with Image.open(file) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return " ".join(str(error).split())[:100]
    return None


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the data set."""
    return [Folder]
