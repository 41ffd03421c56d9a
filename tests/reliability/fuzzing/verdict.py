"""What a case came to: done, refused as it should be, or what was wrong."""

import unicodedata
from dataclasses import dataclass

MEMORY = 1_500_000_000
"""The most bytes that a command may hold."""

LONGEST = 1000
"""The most characters of a message."""

BESIDE = (
    *("Warning: ", "TIFF", "_TIFF", "tempfile.tif: ", "LZW", "Old-style LZW", "JPEGLib", "ZIPDecode"),
    "PackBits",
)
"""How lines begin that may stand beside a message: warnings, and what libtiff writes past Python."""


@dataclass
class Result:
    """How a command ended, and what it did on the way."""

    code: int
    out: str
    err: str
    seconds: float
    peak: int = 0
    changed: tuple[str, ...] = ()
    ran: bool = False


def verdict(result: Result) -> str:
    """`done`, `refused 1`, `refused 2`, or in a few words what is wrong."""
    lines = [line for line in result.err.splitlines() if not line.startswith(BESIDE)]
    if result.ran:
        return "code was run"
    if result.changed:
        return "something outside was touched"
    if result.peak > MEMORY:
        return "memory"
    if "Traceback (most recent call last)" in result.err + result.out:
        return "traceback"
    if result.code not in (0, 1, 2):
        return f"exit code {result.code}"
    if "(--debug shows where)" in result.err:
        return "undesigned error"
    if any(len(line) > LONGEST for line in result.err.splitlines()):
        return "message too long"
    if len(lines) != (0 if result.code == 0 else 1):
        return f"{len(lines)} lines on standard error"
    if any(not (c.isprintable() or c == "\n") for c in result.err):
        return "control characters on standard error"
    if any(unicodedata.category(c) == "Cc" and c not in "\n\r\t" for c in result.out):
        return "control characters on standard output"
    return "done" if result.code == 0 else f"refused {result.code}"
