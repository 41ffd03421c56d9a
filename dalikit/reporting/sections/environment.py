"""What a run was made with: versions, machine, command and data."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from dalikit.reporting.blocks import Block, Facts
from dalikit.reporting.section import Section
from dalikit.reporting.subject import Subject
from dalikit.reporting.use import Use


class Environment(Section):
    """Versions, machine, command and data."""

    key, title = "environment", "Environment"
    lead = "What the run was made with, and on which data."
    beside = False

    def alone(self, run: Subject, use: Use | None) -> Sequence[Block]:
        """One list."""
        told: dict[str, Any] = {
            "command": _command(run.told("command")),
            "dalikit": run.told("dalikit"),
            "plugins": _plugins(run.told("plugins")),
            **(run.told("environment") or {}),
            "identity": run.facts.identity,
            "data": run.facts.data.preparation,
            "shape of a datum": "×".join(map(str, run.facts.data.x_shape)),
            **_stamps(run),
        }
        return (Facts({name: str(value) for name, value in told.items() if value not in (None, "")}),)


def _command(words: Any) -> str:
    return shlex.join(["dalikit", *map(str, words)]) if isinstance(words, list) and words else ""


def _plugins(found: Any) -> str:
    rows = found if isinstance(found, list) else []
    return ", ".join(f"{row['distribution']} {row['version']}" for row in rows if isinstance(row, Mapping))


def _stamps(run: Subject) -> dict[str, str]:
    stamps = run.facts.data.stamp or {}
    return {f"{part} part": f"{stamp.count:,} data, SHA-256 {stamp.sha256}" for part, stamp in stamps.items()}
