"""What a check's refusal must be like."""

import re
from contextlib import contextmanager

import pytest


@contextmanager
def refused(says):
    """A check fails, and says what is, and behind it what should be."""
    with pytest.raises(AssertionError, match=says) as raised:
        yield
    assert re.fullmatch(r"[^;]+; .*should .+", str(raised.value), flags=re.DOTALL), str(raised.value)
