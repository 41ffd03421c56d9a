"""The harness in its short form: what the commands beside this file do for minutes, done for seconds.

Each is a process of its own, for it forks, and must have one thread. That it found nothing wrong is of
account only where it says of how much.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FORMS = {
    "kills": (["ends.py", "kills", 5], r"kills +[5-9]"),
    "signals": (["ends.py", "signals", 5], r"signals, or two of them, sent +[5-9]"),
    "crashpoints": (["crashpoints.py", "--every", 61], r"right +1\d"),
    "failing writes": (["failing_writes.py", "--every", 53], r"right +\d\d"),
    "damage": (["damage.py", 3, 5, "--cuts", 90], r"resume: (right|named) +\d"),
    "readers": (["readers.py", 3], r"other trainers refused +\d"),
    "bombs": (["bombs.py", "--every", 90], r"right +\d"),
}


@pytest.mark.parametrize("form", FORMS)
def test_nothing_comes_out_wrong(form):
    (script, *words), expected = FORMS[form]
    place = Path(__file__).parent / script
    done = subprocess.run(
        [sys.executable, str(place), *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(expected, done.stdout), done.stdout
    assert re.search(r"came out wrong +0", done.stdout), done.stdout
