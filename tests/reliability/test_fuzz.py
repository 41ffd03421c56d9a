"""The fuzzer's short form: a few cases of each kind, each of which is used or refused as it should be."""

import subprocess
import sys
from pathlib import Path

from tests.reliability.fuzzing.verdict import MEMORY, Result, verdict
from tests.reliability.fuzzing.worker import MAKERS

HOME = Path(__file__).parents[2]


def test_hostile_input_is_used_or_refused():
    counts = dict.fromkeys(MAKERS, 5) | {"configurations": 40, "images": 15, "arrays": 15, "processes": 0}
    words = [word for name, count in counts.items() for word in (f"--{name}", str(count))]
    command = [sys.executable, "-m", "tests.reliability.fuzz", *words, "--seed", "11"]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "configurations: 40 cases: " in done.stdout
    assert done.stdout.endswith("0 wrong\n")


def test_what_is_wrong_is_told():
    """A judge that found everything good would make the test above pass."""
    line = "Error: no such file\n"
    results = {
        "refused 2": Result(2, "", line, 0.1),
        "done": Result(0, "all is well\n", "Warning: it is late\n", 0.1),
        "code was run": Result(2, "", line, 0.1, ran=True),
        "something outside was touched": Result(2, "", line, 0.1, changed=("/etc/passwd",)),
        "memory": Result(2, "", line, 0.1, peak=MEMORY + 1),
        "traceback": Result(1, "", "Traceback (most recent call last):\n", 0.1),
        "exit code -11": Result(-11, "", "", 0.1),
        "undesigned error": Result(1, "", "Error: KeyError: 'z' (--debug shows where)\n", 0.1),
        "message too long": Result(2, "", "x" * 1001, 0.1),
        "2 lines on standard error": Result(2, "", 2 * line, 0.1),
        "0 lines on standard error": Result(2, "", "", 0.1),
        "control characters on standard error": Result(2, "", "Error: \x1b[31m\n", 0.1),
        "control characters on standard output": Result(0, "\x1b[31m", "", 0.1),
    }
    assert {what: verdict(result) for what, result in results.items()} == {what: what for what in results}
