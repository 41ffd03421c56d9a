"""Shared by all tests: one thread, for the networks here are tiny; and one trained run."""

import io
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import torch

from dalikit.cli.main import main

for folder in ("", "reliability", "reporting"):  # for fakes.py, players.py, traces.py and the like
    sys.path.insert(0, str(Path(__file__).parent / folder))
torch.set_num_threads(1)
if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # as a shell has it for what it starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["OMP_NUM_THREADS"] = "1"  # for the commands that tests start
os.environ["COLUMNS"] = "160"

TRAIN = [
    *("--backbone", "mlp", "--set", "generator.width=16", "--set", "generator.latent_size=4"),
    *("--set", "discriminator.width=16", "--set", "encoder.width=16"),
    *("--set", "trainer.batch_size=16", "--set", "callbacks.pictures.count=4"),
]
"""Options that make training on digits take a second."""


def _words(words: tuple[object, ...]) -> list[str]:
    """The words of a command; a training makes no page unless asked for it, which takes seconds."""
    plain = [str(word) for word in words]
    asked = plain[:1] != ["train"] or {"--report", "--help"} & set(plain)
    return plain if asked else [*plain, "--no-report"]


@pytest.fixture(scope="session")
def command():
    """Run the command line in a process of its own; returns its exit code and what it printed."""

    def run(*words: object, cwd: Path | None = None, env: dict | None = None) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "dalikit", *_words(words)],
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            env={**os.environ, **(env or {})},
        )

    return run


@pytest.fixture(scope="session")
def cli():
    """Run the command line in this process, which saves importing torch; returns the same as `command`."""

    def run(*words: object) -> subprocess.CompletedProcess:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main(_words(words))
        return subprocess.CompletedProcess(words, ended.value.code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def trained(cli, tmp_path_factory) -> Path:
    """A run of 30 steps on digits; read it, never write into it."""
    run = tmp_path_factory.mktemp("trained") / "run"
    done = cli("train", *TRAIN, "--steps", 30, "--set", "callbacks.checkpoint.every=10", "--out", run)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture(scope="session")
def train_options() -> list[str]:
    """Options that make training on digits take a second."""
    return TRAIN
