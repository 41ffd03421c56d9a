"""Which part a datum belongs to: by a hash of its content, so whatever its place, its name and its company.

About 81 % are trained on, 9 % are the validation part and 10 % the test part; where a test part is given,
about a tenth of the others is the validation part.
"""

from collections.abc import Mapping
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


def digests(rows: np.ndarray) -> np.ndarray:
    """What stands for the content of each row, (N, 16) uint8: the same for equal rows of any byte order."""
    plain = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<")).reshape(len(rows), -1)
    found = [blake2b(row.data, digest_size=DIGEST).digest() for row in plain]
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, DIGEST)


def divide(digests: np.ndarray, seed: int, test: np.ndarray | None = None) -> dict[Part, np.ndarray]:
    """The rows (n,) of each part, in the order of their hashes, by digests (N, 16) and a seed.

    That order is any, so that the first of a part stand for all of it, and the same however the data lay.
    Rows (N,) that are the `test` part by somebody else's decree stay so, where there are any; the others make
    the other parts. A part that would be empty, as may be where there are few data, gets those whose hash is
    least.
    """
    salt = seed.to_bytes(blake2b.SALT_SIZE, "little")
    found = (blake2b(digest.tobytes(), digest_size=8, salt=salt).digest() for digest in digests)
    hashes = np.fromiter((int.from_bytes(one, "little") for one in found), np.uint64, len(digests))
    given = np.zeros(len(hashes), bool) if test is None else test
    parts = np.full(len(hashes), PARTS.index("test"))
    parts[~given] = _parts(hashes[~given], BOUNDS_BESIDE_A_TEST_PART if given.any() else BOUNDS)
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
