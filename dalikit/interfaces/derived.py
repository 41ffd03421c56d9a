"""Settings that nobody gave, and what they follow from."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Derived:
    """A setting that nobody gave: its `value`, as a configuration holds it, and shortly its `reason`."""

    value: Any
    reason: str
