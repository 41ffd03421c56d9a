"""What a process tells whoever started it of its checkpoints, through memory that both see."""

import mmap
import struct
import time
from functools import wraps
from typing import Any

from dalikit.runs import RunDirectory

_LAYOUT = struct.Struct("iiid")


class Writing:
    """Whether a process is inside the write of a checkpoint, how many it began, and which it has written.

    Made before the fork; `watch` is called in the child.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _LAYOUT.size)
        self._set(0, 0, -1, 0.0)

    @property
    def inside(self) -> bool:
        """Whether it is, or was when it ended."""
        return bool(self._get()[0])

    @property
    def begun(self) -> int:
        """How many writes it has begun."""
        return int(self._get()[1])

    @property
    def saved(self) -> int:
        """The step of the last checkpoint that is written, -1 of none."""
        return int(self._get()[2])

    @property
    def seconds(self) -> float:
        """How long the last write took."""
        return float(self._get()[3])

    def watch(self) -> None:
        """Have this process tell."""
        real = RunDirectory.save_checkpoint

        @wraps(real)
        def told(run: RunDirectory, state: Any, *given: Any, **named: Any) -> Any:
            _, begun, saved, seconds = self._get()
            self._set(1, begun + 1, saved, seconds)
            started = time.monotonic()
            found = real(run, state, *given, **named)
            self._set(0, begun + 1, state.scalars["step"], time.monotonic() - started)
            return found

        RunDirectory.save_checkpoint = told  # type: ignore[method-assign]

    def _get(self) -> tuple[Any, ...]:
        return _LAYOUT.unpack(self._memory[:])

    def _set(self, *values: Any) -> None:
        self._memory[:] = _LAYOUT.pack(*values)
