"""Which class and which part a picture is of, by the names of the folders and files that it lies in."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from dalikit.errors import UserError
from dalikit.interfaces import Part

HELD_OUT = ("validation", "valid", "val")
"""Names of the validation part; where there is no `test`, of the test part."""


@dataclass(frozen=True)
class Entry:
    """A picture's name below its source, its class, and the part that it was given for, if it was.

    Those for `train` are to be divided further where no validation part was given.
    """

    name: str
    label: str | None = None
    part: Part | None = None


def parts_by(names: Collection[str], where: Path) -> dict[str, Part]:
    """The part that each of some names of folders or files gives; none unless `train` and another are there.

    Raises:
        UserError: there is `test` and no `train`.
    """
    held = [name for name in HELD_OUT if name in names]
    if "train" not in names:
        if "test" in names:
            raise UserError(
                f"dataset 'folder': {where} has a test part but no train beside it: name that part itself to "
                "train on what is in it"
            )
        return {}
    if "test" in names:
        return {"train": "train", "test": "test", **dict.fromkeys(held, "validation")}
    return {"train": "train", **dict.fromkeys(held, "test")} if held else {}


def entries_of(names: Sequence[PurePosixPath], where: Path) -> list[Entry]:
    """Pictures with their classes and parts, by the folders that they lie in.

    Folders that hold everything count for nothing. Where folders are the parts, what lies beside those is
    not read. The folders of the next level are the classes.
    """
    inner = _shared(names)
    if inner and all(len(name.parts) == inner + 1 for name in names):
        inner -= 1  # the innermost folder is then the one class
    tops = [name.parts[inner].lower() if len(name.parts) > inner + 1 else "" for name in names]
    parts = parts_by(set(tops), where)
    if not parts:
        return [Entry(str(name), _class(name.parts[inner:])) for name in names]
    return [
        Entry(str(name), _class(name.parts[inner + 1 :]), parts[top])
        for name, top in zip(names, tops, strict=True)
        if top in parts
    ]


def hidden(name: PurePosixPath) -> bool:
    """Whether a file is hidden, or lies in a hidden folder: macOS puts one beside each file it copies."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.parts)


def _class(below: Sequence[str]) -> str | None:
    """The outermost folder as text, which JSON can hold; None for a file that lies in none."""
    return os.fsencode(below[0]).decode("utf-8", "replace") if len(below) > 1 else None


def _shared(names: Sequence[PurePosixPath]) -> int:
    """How many folders, from the outermost on, hold everything."""
    levels = zip(*(name.parts[:-1] for name in names), strict=False)
    return sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))
