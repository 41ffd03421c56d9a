"""Signals that ask a command to end: answered from its first line on, and gracefully where it trains."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from dalikit.errors import ENDING, Interrupted

GRACE = 2.0
"""Seconds in which a second signal is taken for the first one told twice, as wrappers and groups do."""


@contextmanager
def at_once() -> Iterator[None]:
    """Turn signals into an error that no library on the way turns into one of its own."""

    def handle(number: int, _: FrameType | None) -> None:
        by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
        stop = Interrupted(number, f"Interrupted{by}")
        if _importing():
            # An error that is raised in the start of a compiled module aborts; files are whole or not there.
            os.write(sys.stderr.fileno(), f"{stop}.\n".encode())
            os._exit(stop.exit_code)
        raise stop

    with _handled(handle):
        yield


@contextmanager
def first_gracefully(interrupt: Callable[[], None], told: Callable[[], str]) -> Iterator[list[int]]:
    """Let the first signal call `interrupt`, and a later one end all at once; what was caught is yielded.

    `told` says how to go on where it ends at once.
    """
    caught: list[int] = []
    first = 0.0

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal first
        if not caught:
            first = time.monotonic()
            caught.append(number)
            interrupt()
        elif time.monotonic() - first > GRACE:
            raise Interrupted(number, f"Stopped at once by {signal.Signals(number).name}; {told()}")

    with _handled(handle):
        yield caught


def _importing() -> bool:
    """Whether a module is being imported just now."""
    specs = (getattr(module, "__spec__", None) for module in list(sys.modules.values()))
    return any(getattr(spec, "_initializing", False) for spec in specs)


@contextmanager
def _handled(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    heard = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]  # as nohup asks
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
