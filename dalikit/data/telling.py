"""A user's data in words: how many, of which classes, of which sizes, and into which parts they go."""

from collections.abc import Mapping, Sequence

import numpy as np

from dalikit.data.splits import PARTS
from dalikit.errors import shortened
from dalikit.interfaces import Dataset

FEW, LETTERS = 10_000, 32
"""Images of which more would help; and the largest side of grey ones that may be letters."""

NAMED = 6
"""As many classes are counted by name."""

ROOM = 700
"""The most characters of names in a message."""


def parts_of(dataset: Dataset) -> str:
    """How many data each part has: "324 / 36 / 40"."""
    return " / ".join(f"{len(dataset.split(part)):,}" for part in PARTS)


def class_counts(dataset: Dataset) -> dict[str, list[int]]:
    """For each class how many data of it are in each part; nothing where there are none."""
    classes = dataset.spec.classes or ()
    counts = [dataset.split(part).class_counts(len(classes)).tolist() for part in PARTS] if classes else []
    return {name: list(found) for name, *found in zip(classes, *counts, strict=True)}


def classes(counts: Mapping[str, Sequence[int]]) -> str:
    """Classes with their counts: ", 2 classes (cats 210, dogs 190)"; nothing where there are none."""
    if not counts:
        return ""
    sums = {name: sum(found) for name, found in counts.items()}
    if len(sums) <= NAMED:
        named = ", ".join(f"{name} {found:,}" for name, found in sums.items())
    else:
        named = span(list(sums.values())) + " each"
    return f", {len(sums)} classes ({named})"


def lone_classes(counts: Mapping[str, Sequence[int]]) -> str:
    """What is to be said of classes of one datum: nothing where there are none."""
    lone = [name for name, found in counts.items() if sum(found) == 1]
    more = f" and {len(lone) - NAMED} more" if len(lone) > NAMED else ""
    return f"classes of one alone: {', '.join(lone[:NAMED])}{more}" if lone else ""


def some(of: Sequence[str], shown: int, where: str = "") -> str:
    """The first of several, as many as there is `ROOM` for, and how many more there are.

    Examples:
        >>> some(["a", "b", "c"], 2, ", listed in x.txt")
        'a; b; and 1 more, listed in x.txt'
    """
    named: list[str] = []
    for one in of[:shown]:
        short = shortened(one, ROOM // 2)
        if sum(map(len, (*named, short))) > ROOM:
            break
        named.append(short)
    more = [f"and {len(of) - len(named):,} more{where}"] if len(of) > len(named) else []
    return "; ".join([*named, *more])


def span(numbers: Sequence[int]) -> str:
    """Least and greatest: "64–160", or "64" where they are one."""
    least, greatest = min(numbers), max(numbers)
    return f"{least:,}" if least == greatest else f"{least:,}–{greatest:,}"


def flip_hint(dataset: Dataset, flip: bool) -> str:
    """A word on mirroring, where few images are trained on; none of small grey ones, which may be letters."""
    channels, *sides = dataset.spec.x_shape
    if flip or (channels == 1 and max(sides) <= LETTERS) or len(dataset.split("train")) >= FEW:
        return ""
    return "if mirrored pictures look natural, --set dataset.flip=true helps small data"


def histogram(numbers: np.ndarray) -> str:
    """How many numbers there are between one power of two and the next: "64–127: 300, 128–255: 100"."""
    powers, counts = np.unique(np.log2(np.maximum(numbers, 1)).astype(int), return_counts=True)
    return ", ".join(f"{2**p:,}–{2 ** (p + 1) - 1:,}: {n:,}" for p, n in zip(powers, counts, strict=True))
