"""The examples run, for a few steps."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str, *words: object) -> str:
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["by_hand.py", "own_tensors.py", "own_backbone.py"])
def test_training_examples(name):
    assert "after 20 steps: test MSE on [0, 1] 0." in run(name, 20)


def test_use_a_run(trained, tmp_path):
    import shutil

    copied = shutil.copytree(trained, tmp_path / "run")
    assert "samples: (1000, 1, 8, 8)" in run("use_a_run.py", copied)
    assert (copied / "walk.png").is_file()
    assert (copied / "around.png").is_file()


def test_by_hand_takes_at_most_40_lines_and_3_imports():
    lines = (EXAMPLES / "by_hand.py").read_text().splitlines()
    assert len(lines) <= 40
    assert 1 <= sum(re.match(r"(from|import) dalikit\b", line) is not None for line in lines) <= 3
