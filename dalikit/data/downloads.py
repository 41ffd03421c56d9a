"""Data sets that torchvision downloads and checks, turned into prepared files."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dalikit.data import prepared
from dalikit.data.imagefiles import reason
from dalikit.data.images import whole
from dalikit.errors import UserError

TIMEOUT = 30.0
"""Seconds without an answer after which a download has failed."""


def by_torchvision(path: Path, kind: str) -> None:
    """Write the prepared file of `torchvision.datasets.<kind>` to `path`, downloading what is not there.

    Torchvision looks for the original files beside `path`, and checks their sums. `kind` is one that has
    `resources` or a `filename`, as MNIST and CIFAR10 have, and others of their families.

    Raises:
        UserError: they are neither there nor to be had, or what was unpacked of them is damaged.
    """
    import torchvision

    make = getattr(torchvision.datasets, kind)
    try:
        with impatient():
            parts = {
                part: _arrays(make(path.parent, train=part == "train", download=True))
                for part in ("train", "test")
            }
    except Exception as error:  # downloads, archives, pickles and its own assertions: each fails in its way
        raise UserError(_trouble(make, path, reason(error))) from error
    streams = {
        f"{part}_{name}": whole(array) for part, arrays in parts.items() for name, array in arrays.items()
    }
    prepared.write(path, streams)


@contextmanager
def impatient() -> Iterator[None]:
    """Let connections that are opened inside the block fail after `TIMEOUT` seconds without an answer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _arrays(dataset: Any) -> dict[str, np.ndarray]:
    images, labels = np.asarray(dataset.data), np.asarray(dataset.targets, dtype=np.uint8)
    if images.dtype != np.uint8:
        raise ValueError(f"images are {images.dtype}, uint8 is expected")
    if len(images) != len(labels):
        raise ValueError(f"{len(images)} images have {len(labels)} labels")
    return {"images": images, "labels": labels}


@dataclass(frozen=True)
class _Originals:
    """Where torchvision looks for the `files` of a data set, and what it makes of them once."""

    folder: Path
    files: tuple[str, ...]
    unpacked: tuple[Path, ...]

    @classmethod
    def of(cls, make: Any, root: Path) -> "_Originals":
        if hasattr(make, "resources"):
            raw, names = root / make.__name__ / "raw", tuple(name for name, _ in make.resources)
            return cls(raw, names, tuple(raw / Path(name).stem for name in names))
        return cls(root, (make.filename,), (root / make.base_folder,))


def _trouble(make: Any, path: Path, reason: str) -> str:
    """What to tell the user. What is unpacked may be torn: torchvision only looks whether it is there."""
    originals = _Originals.of(make, path.parent)
    names = ", ".join(originals.files)
    if not all(file.exists() for file in originals.unpacked):
        return (
            f"{make.__name__} is not to be had ({reason}). Put the prepared file at {path}, or the original "
            f"files ({names}) into {originals.folder}; --data-root names another folder"
        )
    first = originals.unpacked[0]
    torn, kept = (first, "") if first.is_dir() else (first.parent, f", but for {names}")
    return (
        f"{make.__name__}: what is unpacked in {torn} is damaged ({reason}): delete that folder{kept}; it is "
        "unpacked again from the original files, which are downloaded where they are missing"
    )
