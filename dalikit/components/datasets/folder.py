"""A tree of image files of any size and format."""

import hashlib
import os
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from dalikit.data import prepared
from dalikit.data.fitting import MODES, Fitting
from dalikit.data.imagefiles import fault, open_image, reason
from dalikit.data.images import FLIPPED, AbsolutePath, PreparedImages, short_name, stream_images, track
from dalikit.errors import RunError, UserError
from dalikit.files import write_text
from dalikit.hookspecs import offer
from dalikit.interfaces import DataSpec

DALIKIT_API = 2

TOLERATED = 0.03
"""The share of broken files from which the folder is refused."""

SHOWN = 10
"""Broken files that are told of by name; a list beside the prepared file has all of them."""

RULES = 2
"""Raised when the same files would be divided or fitted differently, so that they are prepared again."""


class Folder(PreparedImages):
    """Every image below `path`, its largest centred square resized: (channels, size, size) in [-1, 1].

    With folders `train` and `test` in it, those are the parts, and what lies beside them is not read; else
    about a tenth of the images is the test part, by a hash of each one's name, so that a file that is added
    later moves no other between them, but in a folder of some ten images. Files are images by their suffix;
    hidden ones are passed over. Broken ones are listed and left out; more than 3 % of them are an error.

    Args:
        path: the folder.
        size: the side in pixels.
        channels: 1 for grey, 3 for colour.
        flip: whether training images are mirrored left to right at random.
    """

    name = "folder"

    def __init__(
        self,
        root: Path | None = None,
        /,
        *,
        path: AbsolutePath = "",
        size: Annotated[int, Field(ge=8)] = 64,
        channels: Literal[1, 3] = 3,
        flip: bool = False,
    ) -> None:
        super().__init__(root)
        self.given = path
        self.folder = Path(path)
        self.size = size
        self.channels = channels
        self.flip = flip
        self.spec = DataSpec((channels, size, size), (-1.0, 1.0))

    @cached_property
    def preparation(self) -> str:  # type: ignore[override]  # read only, and read late
        """What was made of which images. They are prepared first, for only then is known what was broken."""
        train, test = (len(self._arrays[part][0]) for part in ("train", "test"))
        left_out = sum(map(len, self._files.values())) - train - test
        return (
            f"images of folder {self._called}, state {self._stamp}: {train} train, {test} test, {left_out} "
            "left out as broken; upright, the largest centred square resized to "
            f"{self.size}×{self.size} by Lanczos, {'grey' if self.channels == 1 else 'colour'} uint8 scaled "
            f"to [-1, 1]; the last {self.held_out} (or a tenth) of train held out"
            f"{FLIPPED if self.flip else ''}"
        )

    @cached_property
    def path(self) -> Path:
        """The prepared file: another one when a file is added, removed or changed."""
        return self.root / f"folder-{self._called}-{self._stamp}.npz"

    def prepare(self, path: Path) -> None:
        """Write the prepared file, and beside it a list of the images that are left out."""
        parts = self._readable(path.with_suffix(".left-out.txt"))
        shape = (self.size, self.size) if self.channels == 1 else (self.size, self.size, 3)
        what = f"{self.folder}"
        streams = {
            f"{part}_images": stream_images(files, shape, self._image, what) for part, files in parts.items()
        }
        prepared.write(path, streams)

    @property
    def _called(self) -> str:
        return short_name(self.folder.resolve())

    @cached_property
    def _stamp(self) -> str:
        """Of where the folder lies, and of each image's name, size and time; the same however it is named."""
        stamp = hashlib.sha256(os.fsencode(self.folder.resolve()) + f" {self.spec.x_shape} {RULES}".encode())
        for path in [path for files in self._files.values() for path in files]:
            status = _status(path)
            named = os.fsencode(path.relative_to(self.folder))
            stamp.update(named + f" {status.st_size} {status.st_mtime_ns}".encode())
        return stamp.hexdigest()[:12]

    @cached_property
    def _files(self) -> dict[str, list[Path]]:
        if not self.given or not _is_folder(self.folder):
            raise UserError(
                f"dataset 'folder': '{self.given}' is no folder: --set dataset.path=FOLDER names one"
            )
        parts = self._parts()
        for part, files in parts.items():
            if len(files) < (needed := 2 if part == "train" else 1):
                raise UserError(
                    f"dataset 'folder': {self.folder} has {len(files)} images for its {part} part, {needed} "
                    "at least are needed; without folders train and test about a tenth is for the test"
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
        return _divide(_images_below(self.folder), self.folder)

    def _readable(self, listing: Path) -> dict[str, Sequence[Path]]:
        """The parts without their broken files, all of which are written into `listing` and some told of."""
        broken: dict[Path, str] = {}
        good: dict[str, Sequence[Path]] = {}
        mode = MODES[self.channels]
        for part, files in self._files.items():
            checked = track(files, f"Checking {part}")
            faults = {file: found for file in checked if (found := fault(file, mode))}
            broken |= faults
            good[part] = [file for file in files if file not in faults]
        if broken:
            self._tell(broken, listing, usable=all(good.values()))
        return good

    def _tell(self, broken: Mapping[Path, str], listing: Path, usable: bool) -> None:
        total = sum(len(files) for files in self._files.values())
        refused = len(broken) > TOLERATED * total or not usable
        listed = "; ".join(f"{file}: {found}" for file, found in list(broken.items())[:SHOWN])
        if more := len(broken) - min(SHOWN, len(broken)):
            listed += f"; and {more} more, listed in {listing}"
        if more or not refused:
            names = {file: str(file.relative_to(self.folder)).replace("\n", "\\n") for file in broken}
            try:
                write_text(listing, "".join(f"{names[file]}: {found}\n" for file, found in broken.items()))
            except OSError as error:
                raise RunError(f"Cannot write {listing}: {reason(error)}") from None
        if refused:
            raise UserError(f"dataset 'folder': {len(broken)} of {total} images cannot be read: {listed}")
        warnings.warn(f"{len(broken)} of {total} images are left out: {listed}", stacklevel=2)

    def _image(self, file: Path) -> np.ndarray:
        try:
            with open_image(file) as image:
                return Fitting(height=self.size, width=self.size, channels=self.channels).apply(image)
        except Exception as error:  # it was sound a moment ago
            raise UserError(f"Image {file}: {reason(error)}") from error


def _divide(files: list[Path], folder: Path) -> dict[str, list[Path]]:
    """The files, about a tenth of them for the test: those whose name's hash divides by ten.

    There is always one to test with and two to learn from, where there are three: those next in order.
    """

    def place(file: Path) -> tuple[bool, int]:
        name = os.fsencode(file.relative_to(folder).as_posix())
        number = int.from_bytes(hashlib.sha256(name).digest()[:8], "big")
        return number % 10 != 0, number

    ranked = sorted(files, key=place)
    drawn = sum(not place(file)[0] for file in files)
    test = set(ranked[: max(0, min(max(1, drawn), len(files) - 2))])
    return {"train": [f for f in files if f not in test], "test": [f for f in files if f in test]}


def _images_below(folder: Path) -> list[Path]:
    """Files by their suffix, links that lead nowhere among them; links to folders are not followed.

    Hidden files, and those in hidden folders, are passed over: macOS puts one beside each file it copies.
    """
    known = Image.registered_extensions()
    # Pillow reads PostScript by running Ghostscript on it, and only writes PDF.
    suffixes = {suffix for suffix, kind in known.items() if kind in Image.OPEN and kind != "EPS"}
    found = (p for p in folder.rglob("*") if p.suffix.lower() in suffixes and not p.is_dir())
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name longer than the file system takes
        return False


def _status(path: Path) -> os.stat_result:
    """Of the file, or of the link where it leads nowhere."""
    try:
        return path.stat()
    except OSError:
        return path.lstat()


dalikit_components = offer(Folder)
