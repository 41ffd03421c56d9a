"""A signal ends a command as what it is, whatever lies between it and the command's first line."""

import os
import signal
import threading

import pytest

from dalikit.cli import signals
from dalikit.errors import Interrupted


def test_what_a_library_makes_of_a_signals_error_is_that_signal():
    """As pydantic does of what is raised while it writes a configuration out."""

    def serialize():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(5)
        except BaseException as error:
            raise ValueError("cannot be serialized") from error

    with pytest.raises(Interrupted, match="SIGTERM") as stop, signals.at_once():
        serialize()
    assert stop.value.exit_code == 128 + signal.SIGTERM
    assert isinstance(stop.value.__cause__, ValueError)


def test_an_error_without_a_signal_is_that_error():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="mine"), signals.at_once():
        raise ValueError("mine")
    assert signal.getsignal(signal.SIGTERM) is before
