"""A case: a command that is made from its kind, a seed and a number alone, so that it can be made again."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Where a case may work, and what it finds.

    Attributes:
        folder: the case's own, empty.
        runs: trained runs by name, to be read alone: `digits` (images 8×8), `points` (vectors) and `colour`
            (images 3×28×28).
        canary: what hostile content makes, if anything in it is ever run.
    """

    folder: Path
    runs: dict[str, Path]
    canary: Path

    @property
    def out(self) -> Path:
        """The one folder that the command may write in."""
        return self.folder / "out"


@dataclass
class Case:
    """What is asked of dalikit: the words of its command line, and where plugins lie besides."""

    words: list[str]
    path: list[Path] = field(default_factory=list)


Maker = Callable[[random.Random, Place], Case]


def rng_of(kind: str, seed: int, number: int) -> random.Random:
    """The random numbers of one case, whatever other cases there are."""
    return random.Random(f"{kind} {seed} {number}")


def run_code(canary: Path) -> str:
    """What a shell makes the canary by."""
    return f"touch {canary}"
