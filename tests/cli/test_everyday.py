"""What people meet in their first hour: `latest`, `--quiet`, `--version`, `-h`, runs that have not ended."""

import json
import os
import shutil
from datetime import datetime, timedelta

import numpy as np
import pytest

import dalikit
from dalikit.runs import RunDirectory


@pytest.fixture
def copied(trained, tmp_path, monkeypatch):
    """A finished run of 30 steps as `runs/one`, and nothing else below the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path / "runs" / "one")
    return tmp_path / "runs" / "one"


@pytest.fixture
def stopped(copied):
    """The same with a checkpoint of step 20 as its last, and without scores."""
    shutil.rmtree(copied / "checkpoints" / "step-000030")
    (copied / "scores.json").unlink()
    return copied


def before(time, minutes):
    return (datetime.fromisoformat(time) - timedelta(minutes=minutes)).isoformat()


def begun(run, minutes):
    """Have a run begin so many minutes earlier."""
    directory = RunDirectory(run)
    earlier = before(directory.facts.model_extra["started"], minutes)
    directory.replace_facts(directory.facts.model_copy(update={"started": earlier}))


def test_latest_is_the_newest_run_wherever_a_run_is_asked_for(cli, copied):
    shutil.copytree(copied, copied.with_name("two"))
    begun(copied, 5)
    said = "The latest run is runs/two\n"
    for words in (["sample", "latest"], ["verify", "latest"], ["evaluate", "latest", "--json"]):
        done = cli(*words)
        assert (done.returncode, done.stderr) == (0, said), words
    assert "complete at step 30" in cli("train", "--resume", "latest").stderr
    assert "would count twice" in cli("compare", "latest", "runs/one").stderr
    config = cli("config", "--from", "latest", "--steps", 3)
    assert (config.returncode, config.stderr) == (0, said)
    assert "from_run: runs/two" in config.stdout


def test_a_folder_that_is_called_latest_is_taken_as_it_is(cli, copied, tmp_path):
    shutil.copytree(copied, tmp_path / "latest")
    done = cli("sample", "latest")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Wrote latest/sample.png\n"


def test_no_latest_run(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = cli("sample", "latest")
    assert done.returncode == 2
    assert done.stderr == (
        "Error: There is no run under runs that 'latest' could be: `dalikit train` makes one\n"
    )


def test_a_folder_of_runs_names_those_inside(cli, copied):
    for words in (["sample"], ["verify"], ["compare"], ["train", "--resume"]):
        done = cli(*words, "runs")
        assert done.returncode == 2
        assert "runs is not a run, but runs lie in it: runs/one. Name one of them" in done.stderr, words


def test_quiet_says_nothing_and_does_all(cli, copied, train_options):
    done = cli("train", *train_options, "--steps", 2, "--out", "runs/q", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert RunDirectory(copied.with_name("q")).scored
    for command in ("sample", "reconstruct", "encode", "vary", "interpolate", "neighbours"):
        done = cli(command, "latest", "-q")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), command
    assert {path.stem for path in copied.with_name("q").glob("*.[pn][np][gz]")} >= {
        "sample",
        "encode",
        "vary",
    }
    assert cli("sample", "runs/nowhere", "--quiet").stderr.startswith("Error: runs/nowhere is not a run")


def test_quiet_leaves_what_was_asked_for(cli, copied, train_options):
    loud, quiet = (cli("evaluate", copied, *words).stdout for words in ([], ["--quiet"]))
    assert "mse_01" in quiet
    assert "Protocol" not in quiet
    assert set(quiet.splitlines()) < set(loud.splitlines())
    plan = cli("train", *train_options, "--steps", 2, "--dry-run", "--quiet").stdout
    assert "Parameters: " in plan


def test_warnings_come_where_it_is_quiet(cli, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "r")
    with (run / "config.yaml").open("a") as file:
        file.write("# edited\n")
    assert "config.yaml changed" in cli("sample", run, "--quiet").stderr


def test_a_run_that_was_stopped_is_said_to_be_so(cli, stopped):
    done = cli("sample", "runs/one")
    assert done.stdout.startswith(
        "runs/one was stopped at step 20 of 30, and is used as of step 20; it goes on"
    )
    assert "it is not finished" in cli("compare", "runs/one").stderr
    shutil.rmtree(stopped / "checkpoints")
    assert "has no checkpoint: it ended before it wrote one" in cli("sample", "runs/one").stderr


def test_a_run_in_training_is_said_to_be_so(cli, stopped):
    with RunDirectory(stopped).locked():
        done = cli("sample", "runs/one")
        assert done.stdout.startswith("runs/one is still in training: used as of step 20 of 30\n")
        assert json.loads(cli("evaluate", "runs/one", "--json").stdout)["step"] == 20
        assert (
            "runs/one is still in training: it has no final scores yet" in cli("compare", "runs/one").stderr
        )
        shutil.rmtree(stopped / "checkpoints")
        assert "is still in training, and has no checkpoint yet" in cli("sample", "runs/one").stderr


def test_the_time_of_a_run_that_went_on_is_without_the_pause(cli, stopped):
    begun(stopped, 600)
    log = [json.loads(line) for line in (stopped / "metrics.jsonl").read_text().splitlines()]
    earlier = [{**line, "time": before(line["time"], 600)} for line in log if line["step"] <= 20]
    (stopped / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in earlier))
    assert cli("train", "--resume", stopped, "--accept-changes", "-q").returncode == 0
    (row,) = json.loads(cli("compare", stopped, "--json").stdout)["rows"]
    assert 0 < row["seconds"]["mean"] < 300


def test_a_run_of_vectors_ends_with_commands_that_work(cli, train_options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("v.npy", np.random.default_rng(0).normal(size=(60, 3)).astype("float32"))
    done = cli("train", *train_options, "--data", "v.npy", "--steps", 2, "--out", "runs/v")
    assert done.returncode == 0, done.stderr
    said, _, following = done.stdout.partition("Next:\n")
    commands = [line.split()[1:] for line in following.splitlines()]
    assert [words[0] for words in commands] == ["report", "sample", "encode", "evaluate"]
    assert "pictures" not in said
    for words in (*commands, ["reconstruct", "latest"], ["vary", "latest"]):
        assert cli(*words).returncode == 0, words
    assert np.load("runs/v/sample.npz")["x"].shape == (2500, 3)
    refused = cli("sample", "latest", "--out", "x.png")
    assert "Data of shape (3,) cannot be drawn: --out FILE.npy or FILE.npz" in refused.stderr


def test_the_version(cli):
    done = cli("--version")
    assert (done.returncode, done.stdout) == (0, f"dalikit {dalikit.__version__}\n")


@pytest.mark.parametrize("words", [[], ["train"], ["sample"], ["scorer"], ["scorer", "train"]])
def test_short_help_is_help(cli, words):
    short, whole = (cli(*words, option) for option in ("-h", "--help"))
    assert short.returncode == 0
    assert "Usage" in short.stdout
    assert short.stdout == whole.stdout


@pytest.mark.skipif(os.environ.get("FORCE_COLOR", "") != "", reason="colours are asked for")
def test_no_colours_where_there_is_no_terminal(cli, copied):
    for words in (["--help"], ["evaluate", copied], ["plugins"], ["doctor"], ["verify", copied]):
        done = cli(*words)
        assert "\x1b" not in done.stdout + done.stderr, words
