"""Which part a datum belongs to: by a hash of its content, so whatever its place, its name and its company.

About 81 % are trained on, 9 % are the validation part and 10 % the test part; where a test part is given,
about a tenth of the others is the validation part.
"""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

from dalikit.errors import UserError
from dalikit.interfaces import Part

PARTS: tuple[Part, ...] = ("train", "validation", "test")
BOUNDS: dict[Part, float] = {"validation": 0.19, "test": 0.1}
BOUNDS_BESIDE_A_TEST_PART: dict[Part, float] = {"validation": 0.1}
"""The shares of all hashes below which a datum's makes it of a part; the last that holds decides."""

DIGEST = 16
"""Bytes that stand for a datum's content."""

LEAST = 20
"""The fewest data that make three parts worth the name."""


def digests(rows: Iterable[np.ndarray]) -> np.ndarray:
    """What stands for the content of each row, (N, 16) uint8: the same for equal rows of any byte order."""
    found = [blake2b(_plain(row).tobytes(), digest_size=DIGEST).digest() for row in rows]
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, DIGEST)


def divide(digests: np.ndarray, seed: int, test_given: bool = False) -> np.ndarray:
    """The part of each datum (N,), as its index in `PARTS`, by its digest (N, 16) and a seed.

    A part that would be empty, as may be where there are few data, gets those whose hash is least. Without a
    test part of their own (`test_given`), data are divided into all three, else into training and validation.
    """
    salt = seed.to_bytes(blake2b.SALT_SIZE, "little")
    hashes = (blake2b(digest.tobytes(), digest_size=8, salt=salt).digest() for digest in digests)
    numbers = np.fromiter((int.from_bytes(found, "little") for found in hashes), np.uint64, len(digests))
    parts = np.zeros(len(numbers), np.uint8)
    bounds = BOUNDS_BESIDE_A_TEST_PART if test_given else BOUNDS
    for part, bound in bounds.items():
        parts[numbers < np.uint64(int(bound * 2**64))] = PARTS.index(part)
    for part in reversed(bounds):
        rest = numbers[parts == 0]
        if not (parts == PARTS.index(part)).any() and len(rest):
            parts[numbers == rest.min()] = PARTS.index(part)
    return parts


def check_count(where: str, count: int, parts: np.ndarray | None = None) -> None:
    """Raise `UserError` where there are too few data, or too few different ones, for three parts."""
    if count < LEAST:
        raise UserError(f"{where}: {count} data, {LEAST} at least are needed")
    if parts is not None and not (parts == 0).any():
        raise UserError(f"{where}: its {count} data are all alike, and nothing is left to train on")


def _plain(row: np.ndarray) -> np.ndarray:
    return row.astype(row.dtype.newbyteorder("<"), copy=False)
