"""Which part a datum belongs to: by a hash of its content, so whatever its place, its name and its company.

About 81 % are trained on, 9 % are the validation part and 10 % the test part; where one of those two is
given, about a tenth of the others is the other.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Annotated

import numpy as np
from pydantic import Field

from dalikit.errors import UserError
from dalikit.interfaces import Part

PARTS: tuple[Part, ...] = ("train", "validation", "test")
BOUNDS: dict[Part, float] = {"validation": 0.19, "test": 0.1}
"""The shares of all hashes below which a datum's makes it of a part; the last that holds decides."""

GIVEN = 0.1
"""The bound of one of them where the other was given."""

SplitSeed = Annotated[int, Field(ge=0, lt=1 << 64)]

DIGEST = 16
"""Bytes that stand for a datum's content."""

LEAST = 20
"""The fewest data that make three parts worth the name."""


def digests(rows: np.ndarray) -> np.ndarray:
    """What stands for the content of each row, (N, 16) uint8: the same for equal rows of any byte order."""
    plain = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<")).reshape(len(rows), -1)
    found = [blake2b(row.data, digest_size=DIGEST).digest() for row in plain]
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, DIGEST)


def divide(digests: np.ndarray, seed: int, given: np.ndarray | None = None) -> dict[Part, np.ndarray]:
    """The rows (n,) of each part, in the order of their hashes, by digests (N, 16) and a seed.

    That order is any, so that the first of a part stand for all of it, and the same however the data lay.
    Parts that are `given` by somebody else's decree, (N,) indices in `PARTS`, stay so; of what is given for
    the first the parts are made that nobody gave. A part that would be empty, as may be where there are few
    data, gets those whose hash is least.
    """
    salt = seed.to_bytes(blake2b.SALT_SIZE, "little")
    found = (blake2b(digest.tobytes(), digest_size=8, salt=salt).digest() for digest in digests)
    hashes = np.fromiter((int.from_bytes(one, "little") for one in found), np.uint64, len(digests))
    parts = np.zeros(len(hashes), np.int64) if given is None else given.copy()
    there = {PARTS[number] for number in np.unique(parts[parts > 0])}
    bounds = BOUNDS if not there else {part: GIVEN for part in PARTS[1:] if part not in there}
    parts[parts == 0] = _parts(hashes[parts == 0], bounds)
    order = np.argsort(hashes, kind="stable")
    return {part: order[parts[order] == number] for number, part in enumerate(PARTS)}


def _parts(hashes: np.ndarray, bounds: dict[Part, float]) -> np.ndarray:
    """The part of each hash (N,), as its index in `PARTS`."""
    parts = np.zeros(len(hashes), np.int64)
    for part, bound in bounds.items():
        parts[hashes < np.uint64(int(bound * 2**64))] = PARTS.index(part)
    for part in reversed(bounds):
        rest = hashes[parts == 0]
        if not (parts == PARTS.index(part)).any() and len(rest):
            parts[hashes == rest.min()] = PARTS.index(part)
    return parts


def check_count(where: str, count: int) -> None:
    """Raise `UserError` where there are too few data to make three parts of."""
    if count < LEAST:
        raise UserError(f"{where}: {count} data, {LEAST} at least are needed")


def check_parts(where: str, rows: Mapping[Part, np.ndarray]) -> None:
    """Raise `UserError` where a part is empty."""
    if missing := next((part for part in PARTS if not len(rows[part])), None):
        count = sum(map(len, rows.values()))
        raise UserError(
            f"{where}: nothing is left for the {missing} part: its {count} data are too much alike, or what "
            "was given for that part cannot be read"
        )
