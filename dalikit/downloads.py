"""Data sets that torchvision downloads and checks, turned into prepared files."""

from pathlib import Path
from typing import Any

import numpy as np

from dalikit import prepared
from dalikit.errors import UserError
from dalikit.images import whole


def by_torchvision(path: Path, kind: str) -> None:
    """Write the prepared file of `torchvision.datasets.<kind>` to `path`, downloading what is not there.

    Torchvision looks for the original files beside `path`, and checks their sums.

    Raises:
        UserError: they are neither there nor to be had.
    """
    import torchvision

    make = getattr(torchvision.datasets, kind)
    try:
        parts = {part: make(path.parent, train=part == "train", download=True) for part in ("train", "test")}
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{kind} is not to be had ({reason}). Put the prepared file at {path}, or the original files "
            f"where torchvision.datasets.{kind} looks under {path.parent}; --data-root names another folder"
        ) from None
    streams = {}
    for part, dataset in parts.items():
        streams[f"{part}_images"] = whole(_uint8(dataset.data))
        streams[f"{part}_labels"] = whole(np.asarray(dataset.targets, dtype=np.uint8))
    prepared.write(path, streams)


def _uint8(data: Any) -> np.ndarray:
    array = np.asarray(data)
    if array.dtype != np.uint8:
        raise UserError(f"torchvision gave {array.dtype} images, uint8 is expected")
    return array
