"""Training that starts from another run: what is taken from it, what is refused, and that it is read once."""

import shutil

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import dalikit

STILL = ["--set", "trainer.lr=1e-30", "--set", "trainer.ema=0.0"]
"""Weights stay as they started, within rounding."""


@pytest.fixture
def mine(tmp_path):
    """Other data of the digits' shape: a file."""
    np.save(tmp_path / "mine.npy", np.random.default_rng(0).integers(0, 256, (60, 8, 8)).astype(np.uint8))
    return ["--dataset", "arrays", "--set", f"dataset.path={tmp_path / 'mine.npy'}"]


@pytest.fixture
def tune(cli, trained, mine, tmp_path):
    """Train from a run on other data; returns what the command said."""

    def run(*words, source=trained, out="tuned", steps=2):
        return cli("train", "--from", source, *mine, *words, "--steps", steps, "--out", tmp_path / out)

    return run


def averaged(run, step):
    return load_file(run / "checkpoints" / f"step-{step:06d}" / "averaged.safetensors")


def refused(done, *says):
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    for words in says:
        assert words in done.stderr


def test_every_player_starts_where_the_other_run_ended(tune, trained, tmp_path):
    done = tune(*STILL, "--set", "trainer.batch_size=8")
    assert done.returncode == 0, done.stderr
    theirs, mine = averaged(trained, 30), averaged(tmp_path / "tuned", 2)
    assert theirs.keys() == mine.keys()
    players = {name.partition(".")[0] for name in theirs}
    assert players >= {"generator", "discriminator", "encoder"}
    for name, tensor in theirs.items():
        torch.testing.assert_close(mine[name], tensor, msg=name)
    config = yaml.safe_load((tmp_path / "tuned" / "config.yaml").read_text())
    before = yaml.safe_load((trained / "config.yaml").read_text())
    assert config["from_run"] == str(trained)
    assert config["dataset"]["name"] == "arrays"
    for section in ("method", "backbone", "game", "augmentation"):
        assert config[section] == before[section]
    for kind in ("generator", "discriminator", "encoder", "posterior"):
        assert config[kind] == {**before[kind], "from_run": str(trained)}


def test_the_other_run_is_read_once(tune, trained, tmp_path, cli):
    source = shutil.copytree(trained, tmp_path / "source")
    words = ["--set", "trainer.batch_size=8", "--set", "callbacks.checkpoint.every=2"]
    assert tune(*words, source=source, steps=4).returncode == 0
    shutil.rmtree(tmp_path / "tuned" / "checkpoints" / "step-000004")
    shutil.rmtree(source)
    assert cli("train", "--resume", tmp_path / "tuned", "--steps", 6).returncode == 0
    assert cli("sample", tmp_path / "tuned").returncode == 0


def test_what_changes_no_shape_can_be_overruled(tune, tmp_path):
    done = tune("--game", "hinge", "--set", "method.lam=0.25", "--posterior", "identity", "--method", "dali")
    says = (
        "encoder.from_run: the weights of run",
        "do not fit",
        "--set encoder.from_run=null trains a new one",
    )
    refused(done, *says)  # the identity has one head
    done = tune("--game", "hinge", "--set", "method.lam=0.25", "--set", "trainer.batch_size=8", *STILL)
    assert done.returncode == 0, done.stderr
    config = dalikit.load(tmp_path / "tuned").config
    assert config.players["game"].name == "hinge"
    assert config.method.params["lam"] == 0.25


def test_a_player_that_another_method_asks_more_of_is_refused_and_can_be_new(tune, trained, tmp_path):
    done = tune("--method", "alice", *STILL, "--set", "trainer.batch_size=8")
    refused(done, "encoder.from_run: the weights", "do not fit", "--set encoder.from_run=null")
    assert "state_dict" not in done.stderr
    done = tune(
        "--method", "alice", *STILL, "--set", "trainer.batch_size=8", "--set", "encoder.from_run=null"
    )
    assert done.returncode == 0, done.stderr
    tuned, source = dalikit.load(tmp_path / "tuned"), dalikit.load(trained)
    torch.testing.assert_close(tuned.sample(3, seed=0), source.sample(3, seed=0))


def test_another_method_starts_from_the_players_that_it_has(tune, trained, tmp_path):
    done = tune("--method", "gan", *STILL, "--set", "trainer.batch_size=8")
    assert done.returncode == 0, done.stderr
    tuned, source = dalikit.load(tmp_path / "tuned"), dalikit.load(trained)
    torch.testing.assert_close(tuned.sample(3, seed=0), source.sample(3, seed=0))
    assert "encoder" not in tuned.config.players


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--backbone", "dcgan"], "backbone 'dcgan' does not go with from_run: run "),
        (["--set", "encoder.name=dcgan"], "encoder 'dcgan' does not go with from_run: run "),
        (["--set", "generator.width=99"], "generator.width = 99 does not go with generator.from_run"),
        (["--set", "generator.latent_size=9"], "generator.latent_size = 9 does not go with"),
    ],
)
def test_other_networks_are_refused(tune, tmp_path, words, says):
    refused(tune(*words), says)
    assert not (tmp_path / "tuned").exists()


def test_data_of_another_shape_are_refused_and_both_are_named(cli, trained, tmp_path):
    np.save(tmp_path / "wide.npy", np.zeros((40, 8, 12), np.uint8))
    words = ["--dataset", "arrays", "--set", f"dataset.path={tmp_path / 'wide.npy'}", "--steps", 2]
    done = cli("train", "--from", trained, *words, "--out", tmp_path / "run")
    refused(
        done,
        "of shape (1, 8, 8) in [-1, 1]",
        "'arrays' are of shape (1, 8, 12) in [-1, 1]: make them alike, as dataset.size",
    )
    assert not (tmp_path / "run").exists()
    refused(cli("train", "--from", tmp_path / "nowhere", *words), "nowhere is not a run")
    refused(cli("train", "--resume", trained, "--from", trained), "--resume goes on with the run's own")


def test_a_folder_takes_the_size_that_the_other_run_had(cli, train_options, tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for folder, side in (("first", 20), ("second", 50)):
        (tmp_path / folder).mkdir()
        for i in range(30):
            levels = rng.integers(0, 256, (side, side)).astype(np.uint8)
            Image.fromarray(levels).save(tmp_path / folder / f"{i}.png")
    words = ["--dataset", "folder", "--steps", 2, "--data-root", tmp_path]
    first, second = (f"dataset.path={tmp_path / folder}" for folder in ("first", "second"))
    done = cli("train", *train_options, *words, "--set", first, "--out", tmp_path / "a")
    assert done.returncode == 0, done.stderr
    options = ["--from", tmp_path / "a", *words, "--set", second, "--set", "trainer.batch_size=8"]
    done = cli("train", *options, "--out", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert dalikit.load(tmp_path / "b").spec == dalikit.load(tmp_path / "a").spec
    assert dalikit.load(tmp_path / "b").config.dataset.params["size"] == 20
    refused(cli("train", *options, "--set", "dataset.size=24", "--out", tmp_path / "c"), "(1, 24, 24)")


def test_codes_discriminators_are_taken_too_by_a_run_of_their_own_method(cli, train_options, mine, tmp_path):
    words = [*train_options[:8], "--set", "trainer.batch_size=8", "--steps", 2]
    assert cli("train", "--method", "aae", *words, "--out", tmp_path / "aae").returncode == 0
    done = cli("train", "--from", tmp_path / "aae", *mine, *STILL, "--steps", 1, "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    theirs, again = averaged(tmp_path / "aae", 2), averaged(tmp_path / "again", 1)
    assert theirs.keys() == again.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(again[name], tensor, msg=name)


def test_labels_are_read_where_the_other_run_reads_them_and_as_many(cli, train_options, mine, tmp_path):
    words = [*train_options, "--set", "method.conditional=true", "--steps", 2]
    assert cli("train", *words, "--out", tmp_path / "first").returncode == 0
    source, says = (
        ["--from", tmp_path / "first", "--steps", 2],
        "in [-1, 1] with 10 classes; those of data set",
    )
    refused(cli("train", *source, *mine, "--out", tmp_path / "run"), says, "in [-1, 1] with 0 classes")
    again = ["--dataset", "digits", "--set", "trainer.batch_size=8", "--out", tmp_path / "run"]
    done = cli("train", *source, *again)
    assert done.returncode == 0, done.stderr
    assert dalikit.load(tmp_path / "run").method.conditional


def test_it_is_told_where_settings_came_from(cli, trained, mine):
    done = cli("config", "--explain", "--from", trained, *mine, "--steps", 2, "--set", "method.lam=0.25")
    told = dict(line.split("  # ") for line in done.stdout.splitlines())
    told = {setting.partition(":")[0]: why for setting, why in told.items()}
    assert told["method.lam"] == told["dataset.path"] == "given"
    assert told["game.name"] == f"run {trained}"
    assert told["generator.width"] == told["encoder.width"] == f"derived: as run {trained} has it"


def test_from_python(trained, mine, tmp_path):
    path = mine[-1].partition("=")[2]
    data = {"name": "arrays", "path": path}
    settings = {"trainer": {"steps": 1, "batch_size": 8, "lr": 1e-30, "ema": 0.0}}
    model = dalikit.train(from_run=str(trained), dataset=data, out=tmp_path / "run", **settings)
    x = dalikit.load(trained).data("test", 4)
    torch.testing.assert_close(model.code(x), dalikit.load(trained).code(x), atol=1e-4, rtol=1e-4)
