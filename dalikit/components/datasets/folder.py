"""A tree of image files of any size and format."""

import hashlib
import os
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
from dalikit.imagefiles import fault, fitted
from dalikit.images import PreparedImages, streamed, tracked

DALIKIT_API = 1

TOLERATED = 0.03
"""The share of broken files from which the folder is refused."""

MODES: dict[int, str] = {1: "L", 3: "RGB"}


class Folder(PreparedImages):
    """Every image below `path`, its largest centred square resized: (channels, size, size) in [-1, 1].

    With folders `train` and `test` in it, those are the parts, and what lies beside them is not read; else
    every tenth image, by name, is the test part. Files are images by their suffix. Broken ones are listed
    and left out; more than 3 % of them are an error.

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
        stamp = hashlib.sha256(os.fsencode(self.folder.resolve()) + f" {self.x_shape}".encode())
        for path in [path for files in parts.values() for path in files]:
            status = path.stat() if path.exists() else path.lstat()
            stamp.update(os.fsencode(path) + f" {status.st_size} {status.st_mtime_ns}".encode())
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
        parts = self._parts()
        for part, files in parts.items():
            if len(files) < (needed := 2 if part == "train" else 1):
                raise UserError(
                    f"dataset 'folder': {self.folder} has {len(files)} images for its {part} part, {needed} "
                    "at least are needed; without folders train and test every tenth image is for the test"
                )
        return parts

    def _parts(self) -> dict[str, list[Path]]:
        train, test = (self.folder / part for part in ("train", "test"))
        if test.is_dir() and not train.is_dir():
            raise UserError(
                f"dataset 'folder': {self.folder} has a folder test but no folder train beside it: name "
                f"{test} itself to train on what is in it"
            )
        if test.is_dir():
            return {"train": _images_below(train), "test": _images_below(test)}
        files = _images_below(self.folder)
        return {"train": [f for i, f in enumerate(files) if i % 10 != 9], "test": files[9::10]}

    def _readable(self) -> dict[str, Sequence[Path]]:
        broken: dict[Path, str] = {}
        good: dict[str, Sequence[Path]] = {}
        for part, files in self._files.items():
            faults = {file: found for file in tracked(files, f"Checking {part}") if (found := fault(file))}
            broken |= faults
            good[part] = [file for file in files if file not in faults]
        total = sum(len(files) for files in self._files.values())
        listed = "; ".join(f"{file}: {found}" for file, found in list(broken.items())[:10])
        if len(broken) > TOLERATED * total or not all(good.values()):
            raise UserError(f"dataset 'folder': {len(broken)} of {total} images cannot be read: {listed}")
        if broken:
            warnings.warn(f"{len(broken)} of {total} images are left out: {listed}", stacklevel=2)
        return good

    def _image(self, file: Path) -> np.ndarray:
        with Image.open(file) as image:
            return fitted(image, self.size, MODES[self.channels])


def _images_below(folder: Path) -> list[Path]:
    """Files by their suffix, links that lead nowhere among them; links to folders are not followed."""
    known = Image.registered_extensions()
    # Pillow reads PostScript by running Ghostscript on it, and only writes PDF.
    suffixes = {suffix for suffix, kind in known.items() if kind in Image.OPEN and kind != "EPS"}
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in suffixes and not p.is_dir())


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the data set."""
    return [Folder]
