"""Signals that ask a command to end: answered from its first line on, and gracefully where it trains."""

import _thread
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Never

from dalikit.errors import ENDING, Interrupted

GRACE = 2.0
"""Seconds in which a second signal is taken for the first one told twice, as wrappers and groups do."""


PATIENCE = 3.0
"""Seconds in which an error must have ended the command; something on its way may have swallowed it."""

Answer = Callable[[int], Interrupted | None]


@contextmanager
def at_once() -> Iterator[None]:
    """Turn signals into an error that no library on the way turns into one of its own."""

    def answer(number: int) -> Interrupted:
        by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
        return Interrupted(number, f"Interrupted{by}")

    with _handled(answer):
        yield


@contextmanager
def first_gracefully(interrupt: Callable[[], None], told: Callable[[], str]) -> Iterator[list[int]]:
    """Let the first signal call `interrupt`, and a later one end all at once; what was caught is yielded.

    `told` says how to go on where it ends at once.
    """
    caught: list[int] = []
    first = 0.0

    def answer(number: int) -> Interrupted | None:
        nonlocal first
        if not caught:
            first = time.monotonic()
            caught.append(number)
            interrupt()
        elif time.monotonic() - first > GRACE:
            return Interrupted(number, f"Stopped at once by {signal.Signals(number).name}; {told()}")
        return None

    with _handled(answer):
        yield caught


@contextmanager
def _handled(answer: Answer) -> Iterator[None]:
    """Raise the error that `answer` gives to a signal, and see to it that it ends what runs inside."""
    ended = False
    raised: list[Interrupted] = []

    def end_later(stop: Interrupted) -> None:
        time.sleep(PATIENCE)
        if not ended:
            _exit(stop)

    def handle(number: int, _: FrameType | None) -> None:
        stop = answer(number)
        if stop is None:
            return
        if _importing():
            _exit(stop)  # an error that is raised in the start of a compiled module aborts
        # Not `threading`: what the signal came into may hold its lock.
        _thread.start_new_thread(end_later, (stop,))
        raised.append(stop)
        raise stop

    heard = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]  # as nohup asks
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    except Exception as error:  # such as pydantic makes of whatever is raised in a serializer
        if raised:
            raise raised[-1] from error
        raise
    finally:
        ended = True
        for number, handler in before.items():
            signal.signal(number, handler)


def _importing() -> bool:
    """Whether a module is being imported just now."""
    specs = (getattr(module, "__spec__", None) for module in list(sys.modules.values()))
    return any(getattr(spec, "_initializing", False) for spec in specs)


def _exit(stop: Interrupted) -> Never:
    """End the process without a way back; every file is whole or not there."""
    with suppress(OSError):  # whoever would read it has gone
        os.write(2, f"{stop}.\n".encode())
    os._exit(stop.exit_code)
