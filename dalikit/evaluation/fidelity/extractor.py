"""What features are computed with, as torch-fidelity is handed it: by no path, for it would unpickle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Extractor:
    """One of torch-fidelity's extractors with its weights, which were loaded safely and lie in memory.

    Attributes:
        name: torch-fidelity's name for it.
        source: the file that the weights came from, for what people are told.
        sha256: of that file's content, from which these weights were made.
        handed: the arguments by which torch-fidelity is given the weights, anew for each use.
        facts: what the file says of them besides.
    """

    name: str
    source: Path
    sha256: str
    handed: Callable[[], Mapping[str, Any]]
    facts: Mapping[str, Any] = field(default_factory=dict)
