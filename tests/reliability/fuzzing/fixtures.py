"""The trained runs that cases use: small, made once."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.reliability.fuzzing.configurations import TINY
from tests.reliability.fuzzing.pool import HOME, environment


def make_runs(root: Path) -> None:
    """Train `runs/digits`, `runs/points` and `runs/colour` below `root`, in one process."""
    (root / "runs").mkdir(parents=True)
    grey = np.random.default_rng(0).integers(0, 256, (60, 28, 28, 1), np.uint8)
    np.save(root / "colour.npy", np.repeat(grey, 3, 3))
    own = {"digits": [], "points": ["--dataset", "ring8"], "colour": ["--data", str(root / "colour.npy")]}
    commands = [["train", *TINY, *words, "--out", str(root / "runs" / name)] for name, words in own.items()]
    script = (
        "import sys, json\nfrom dalikit.cli.main import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    try:\n        main(words)\n"
        "    except SystemExit as end:\n        assert not end.code, words\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, json.dumps(commands)],
        check=True,
        cwd=HOME,
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
