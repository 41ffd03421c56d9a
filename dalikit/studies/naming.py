"""Runs told apart by the settings in which they differ."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dalikit.errors import shortened

LENGTH = "trainer.steps"
"""How long a run trains, which tables have a column for."""

SIDELONG = ("seed", "device", "threads", "minutes", "recipe", "from_run", "callbacks.", "metrics.")
"""How settings begin that change nothing of what is trained, or say what others say too."""

MOST, LONGEST = 3, 24
"""Settings that a name has at most, where fewer do, and letters of a value."""


@dataclass(frozen=True)
class Settings:
    """All settings of a run by their dotted paths, and which of them its user gave."""

    values: Mapping[str, Any] = field(default_factory=dict)
    given: Collection[str] = ()


def tell_apart(runs: Sequence[Settings], places: Sequence[str]) -> list[str]:
    """For each of several runs in what it differs from the others, no two alike.

    By settings that somebody gave, if these tell them apart, or by any that differ, or by their places.

    Examples:
        >>> given = ["method.lam"]
        >>> runs = [Settings({"method.lam": lam, "trainer.lr": lam}, given) for lam in (0.5, 1.0)]
        >>> tell_apart(runs, ["a", "b"])
        ['lam 0.5', 'lam 1.0']
    """
    paths = list(dict.fromkeys(path for run in runs for path in run.values))
    differing = [path for path in paths if len({_plain(run.values.get(path)) for run in runs}) > 1]
    weighty = [path for path in differing if not path.startswith(SIDELONG)]
    given = [path for path in weighty if any(path in run.given for run in runs)]
    others = [path for path in given if path != LENGTH]
    for chosen in (others, given, weighty):
        for few in (chosen[:], *_fewest(runs, chosen)):
            names = _names(runs, few)
            if len(few) <= MOST and len(set(names)) == len(names) and all(names):
                return names
    return list(places)


def _fewest(runs: Sequence[Settings], paths: Sequence[str]) -> Iterator[list[str]]:
    """Ever more of the paths, each time the one that tells most of the runs apart."""
    chosen: list[str] = []
    while len(chosen) < min(MOST, len(paths)):
        left = [path for path in paths if path not in chosen]
        chosen.append(max(left, key=lambda path: len(set(_names(runs, [*chosen, path])))))
        yield [path for path in paths if path in chosen]


def _names(runs: Sequence[Settings], paths: Sequence[str]) -> list[str]:
    keys = [path.removesuffix(".name") for path in paths]
    last = [key.rpartition(".")[2] for key in keys]
    short = [one if last.count(one) == 1 else key for one, key in zip(last, keys, strict=True)]
    return [
        ", ".join(
            f"{key} {_value(run.values[p])}" for key, p in zip(short, paths, strict=True) if p in run.values
        )
        for run in runs
    ]


def _value(value: Any) -> str:
    return shortened(value if isinstance(value, str) else _plain(value), LONGEST)


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
