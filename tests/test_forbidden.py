"""What another user may not read is said to be forbidden, and not to be damaged."""

import os
from errno import EACCES

import pytest
import torch

from dalikit.cli.main import main
from dalikit.errors import UserError
from dalikit.interfaces import TrainingState
from dalikit.runs import DataFacts, RunDirectory, RunFacts
from dalikit.runs.config import RunConfig, Slot

CONFIG = RunConfig(generator=Slot(name="mlp", latent_size=3))
FILES = {
    "config.yaml": lambda run: RunDirectory.open(run.path),
    "run.json": lambda run: run.facts,
    "metrics.jsonl": lambda run: run.log_lines(),
    "manifest.json": lambda run: run.load_averaged(),
    "averaged.safetensors": lambda run: run.load_averaged(),
    "training.safetensors": lambda run: run.load_checkpoint(),
    "state.json": lambda run: run.load_checkpoint(),
}


@pytest.fixture
def forbid(monkeypatch):
    """Makes the system refuse to open files of a name: root, as whom tests may run, is refused nothing."""

    def forbid(name, real=os.open):
        def refusing(path, *arguments, **more):
            if str(path).endswith(name):
                raise PermissionError(EACCES, os.strerror(EACCES), str(path))
            return real(path, *arguments, **more)

        monkeypatch.setattr(os, "open", refusing)

    return forbid


@pytest.fixture
def run(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.create(CONFIG, RunFacts(identity="one", data=DataFacts(x_shape=(2,), value_range=None)))
    for step in (5, 10):
        run.log({"event": "losses", "step": step, "loss": 1.5})
        weights = torch.ones(3)
        state = TrainingState({"average/g": weights, "method/g": weights}, {"step": step})
        run.save_checkpoint(state, keep=2)
    return run


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_a_run(name, run, forbid, recwarn):
    read = FILES[name]
    read(run)
    forbid(name)
    with pytest.raises(UserError, match="permission denied: its owner can allow it") as raised:
        read(RunDirectory(run.path))
    assert "damaged" not in str(raised.value)
    assert name in str(raised.value)
    assert not recwarn, "no earlier checkpoint is taken in its place"


def test_a_path_that_the_system_refuses_is_what_the_user_gave(capsys):
    """Whatever looks at a path first: here whether prepared data lie there."""
    root = "/".join(["b" * 50] * 100)
    with pytest.raises(SystemExit) as ended:
        main(["config", "--dataset", "mnist", "--data-root", root])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("Error: bbb")
    assert said.endswith("mnist.npz: File name too long\n")
    assert said.count("\n") == 1
