"""What data are there: a stamp, by which they are told from others."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dalikit.interfaces.spec import Batch, Part

MOST_BYTES = 1 << 28
"""Bytes of a part's raw data that its stamp is made of at most: a second's work at half a GB/s."""

AT_ONCE = 1 << 24
"""Bytes that are read together, one datum at least."""


@dataclass(frozen=True)
class Stamp:
    """What the data of one part are.

    Attributes:
        count: how many there are; of an endless source, how many count as one epoch.
        sha256: in hexadecimal, of the raw data and their labels, in order.
        looked_at: of how many it was made: of all, or of so many spread evenly, the first and the last among
            them. 0 where data are drawn afresh, and it is of what they are drawn by.
    """

    count: int
    sha256: str
    looked_at: int

    @classmethod
    def of_data(cls, count: int, read: Callable[[Tensor], Batch], most: int | None = None) -> "Stamp":
        """The stamp of `count` data, of which `read` gives those at an index (n,) as they are, with labels.

        It is made of all that lie within `MOST_BYTES`, and of `most` at most where that is given. It is of
        their bytes, types and order alone, however many are read at once.
        """
        data, labels = hashlib.sha256(), hashlib.sha256()
        index = torch.arange(count)
        if count:
            first = read(index[:1]).x
            index = _spread(count, min(most or count, max(1, MOST_BYTES // max(1, first.nbytes))))
            data.update(f"{first.dtype}".encode())
            for chunk in index.split(max(1, AT_ONCE // max(1, first.nbytes))):
                x, y = read(chunk)
                data.update(_bytes(x))
                labels.update(b"" if y is None else _bytes(y))
        return cls(count, hashlib.sha256(data.digest() + labels.digest()).hexdigest(), len(index))

    @classmethod
    def of_source(cls, count: int, described: str) -> "Stamp":
        """The stamp of an endless source, by a text that has all by which it draws."""
        return cls(count, hashlib.sha256(described.encode()).hexdigest(), 0)


def joint_sha256(stamps: Mapping[Part, Stamp]) -> str:
    """One SHA-256 for all parts, in hexadecimal."""
    told = sorted(f"{part} {stamp.count} {stamp.sha256} {stamp.looked_at}" for part, stamp in stamps.items())
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _spread(count: int, most: int) -> Tensor:
    """`most` places among `count`, evenly spread from the first to the last, or all that there are."""
    chosen = torch.arange(min(count, most))
    return chosen if count <= most else chosen * (count - 1) // max(1, most - 1)


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
