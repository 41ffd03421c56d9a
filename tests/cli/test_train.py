"""`dalikit train`: what a run leaves behind, resuming it, and stopping it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from dalikit.errors import ENDING
from dalikit.runs import RunDirectory


def tensors(run):
    (last,) = sorted(run.glob("checkpoints/step-*"))[-1:]
    return {p.name: load_file(p) for p in last.glob("*.safetensors")}


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].keys() == b[name].keys()
        for key, value in a[name].items():
            assert torch.equal(value, b[name][key]), key


def records(run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "time"} for line in lines]


def test_a_run_holds_all_that_was_promised(trained):
    names = {str(p.relative_to(trained)) for p in trained.rglob("*") if p.is_file()}
    assert {"config.yaml", "run.json", "metrics.jsonl", "scores.json"} <= names
    for folder in ("samples", "reconstructions"):
        assert {f"{folder}/step-000000.png", f"{folder}/step-000030.png"} & names
        assert f"{folder}/step-000030.png" in names
    assert "checkpoints/step-000030/averaged.safetensors" in names
    config = yaml.safe_load((trained / "config.yaml").read_text())
    assert config["trainer"]["steps"] == 30
    assert config["generator"]["latent_size"] == 4
    facts = json.loads((trained / "run.json").read_text())
    assert {"distribution": "dalikit", "version": facts["dalikit"]} in facts["plugins"]
    assert facts["environment"]["torch"] == torch.__version__
    assert "80" in facts["data"]["preparation"] or "20 % test" in facts["data"]["preparation"]
    losses = [r for r in records(trained) if r["event"] == "losses"]
    assert losses[-1]["step"] == 30
    assert {"discriminator/loss", "generator+encoder/loss", "generator+encoder/nll"} <= losses[-1].keys()
    scores = [r for r in records(trained) if r["event"] == "score"]
    assert scores[-1]["metric"] == "reconstruction"
    assert Image.open(trained / "samples" / "step-000030.png").width > 100


def test_it_prints_plain_lines_and_says_what_to_do_next(cli, train_options, tmp_path):
    run = tmp_path / "run"
    done = cli("train", *train_options, "--steps", 20, "--set", "callbacks.progress.seconds=0", "--set",
               "callbacks.progress.every=10", "--out", run)  # fmt: skip
    assert done.returncode == 0
    assert done.stderr == ""
    assert "step 10/20" in done.stdout
    assert "images/s" in done.stdout
    assert "mse_01" in done.stdout
    assert re.search(r"^ metric +value +last +best: step 20 $", done.stdout, re.MULTILINE)
    assert "Protocol of reconstruction: dataset digits, part test, count 360, " in done.stdout
    assert re.search(
        r"Best by reconstruction of the validation part \(mse_01 0\.\d{4}\): step 20", done.stdout
    )
    assert f"Everything lies in {run}" in done.stdout
    assert f"dalikit sample {run}" in done.stdout
    assert "\x1b" not in done.stdout


def test_the_same_command_gives_the_same_run(cli, train_options, trained, tmp_path):
    cli(
        "train",
        *train_options,
        "--steps",
        30,
        "--set",
        "callbacks.checkpoint.every=10",
        "--out",
        tmp_path / "r",
    )
    same(tensors(trained), tensors(tmp_path / "r"))
    assert records(trained) == records(tmp_path / "r")


def test_another_seed_gives_another_run(cli, train_options, trained, tmp_path):
    cli("train", *train_options, "--steps", 30, "--seed", 1, "--out", tmp_path / "r")
    a, b = (tensors(run)["averaged.safetensors"] for run in (trained, tmp_path / "r"))
    assert not torch.equal(a["generator.net.0.weight"], b["generator.net.0.weight"])


CONSTANT = ["--set", "trainer.schedule=constant"]
"""For a rate that falls to 0 at the last step depends on which step is the last."""


def test_a_run_trained_further_ends_as_one_trained_at_once(cli, train_options, tmp_path):
    run, whole = tmp_path / "r", tmp_path / "whole"
    cli("train", *train_options, *CONSTANT, "--steps", 20, "--out", run)
    done = cli("train", "--resume", run, "--steps", 30)
    assert done.returncode == 0, done.stderr
    cli("train", *train_options, *CONSTANT, "--steps", 30, "--out", whole)
    same(tensors(whole), tensors(run))
    assert yaml.safe_load((run / "config.yaml").read_text())["trainer"]["steps"] == 30


def test_a_complete_run_says_how_to_train_it_further(cli, trained):
    before = {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()}
    done = cli("train", "--resume", trained)
    assert done.returncode == 2
    assert "complete at step 30: --steps N with a greater N" in done.stderr
    assert {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()} == before


def test_a_run_stopped_while_it_was_scored_is_scored_by_resuming_it(cli, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "r")
    scores, log = run / "scores.json", run / "metrics.jsonl"
    before = {**json.loads(scores.read_text()), "run": "", "sha256": ""}
    *earlier, last = log.read_text().splitlines(keepends=True)
    assert json.loads(last)["event"] == "scores"
    log.write_text("".join(earlier))
    scores.unlink()
    done = cli("train", "--resume", run)
    assert done.returncode == 0, done.stderr
    assert {**json.loads(scores.read_text()), "run": "", "sha256": ""} == before
    trained_before = [line for line in earlier if json.loads(line)["step"] < 30]
    assert log.read_text().startswith("".join(trained_before)), "nothing is trained again"
    assert records(run) == records(trained)


def test_a_run_that_is_gone_on_with_has_no_scores_until_it_ends(cli, trained, tmp_path, monkeypatch):
    from dalikit.training import Trainer

    def killed(*_):
        raise SystemError("killed")

    run = shutil.copytree(trained, tmp_path / "r")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "fit", killed)
        assert cli("train", "--resume", run, "--steps", 40).returncode == 1
    assert not (run / "scores.json").exists()
    assert "is not finished" in cli("compare", run).stderr
    done = cli("train", "--resume", run)
    assert done.returncode == 0, done.stderr
    assert json.loads((run / "scores.json").read_text())["step"] == 40
    assert cli("compare", run).returncode == 0


def test_a_run_is_not_resumed_to_fewer_steps_than_it_has(cli, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "r", ignore=shutil.ignore_patterns("scores.json"))
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    done = cli("train", "--resume", run, "--steps", 20)
    assert done.returncode == 2
    assert "is at step 30 already" in done.stderr
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("way", ["resumed", "anew"])
def test_two_processes_never_train_one_run(cli, train_options, trained, tmp_path, way):
    run = tmp_path / "r"
    if way == "resumed":
        shutil.copytree(trained, run)
    words = ("--resume", run, "--steps", 40) if way == "resumed" else (*train_options, "--out", run)
    with RunDirectory(run).locked():
        before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
        done = cli("train", *words)
        assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    assert done.returncode == 2
    assert done.stderr == f"Error: Run {run} is being trained by process {os.getpid()}\n"


def test_a_run_is_held_as_long_as_it_is_trained(cli, train_options, tmp_path):
    run = tmp_path / "r"
    process = start(run, train_options)
    try:
        done = cli("train", "--resume", run)
        assert done.returncode == 2
        assert f"is being trained by process {process.pid}" in done.stderr
    finally:
        process.kill()
        process.communicate()
    with RunDirectory(run).locked():
        pass


def test_a_metric_that_cannot_be_had_is_told_before_training(cli, tmp_path):
    small = ("--method", "gan", "--backbone", "mlp", "--steps", 2)
    asked = cli("train", *small, "--set", "metrics.codes={}", "--out", tmp_path / "r")
    assert asked.returncode == 0, asked.stderr
    assert "Warning: metric 'codes' will be left out: " in asked.stderr
    assert "Warning" not in cli("train", *small, "--out", tmp_path / "s").stderr


def test_the_default_output_is_a_new_folder_under_runs(cli, train_options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert cli("train", *train_options, "--steps", 2).returncode == 0
    runs = sorted((tmp_path / "runs").iterdir())
    assert len(runs) == 2
    assert all(run.name.startswith("20") and "dali-digits" in run.name for run in runs)


def test_the_plugin_trains(cli, train_options, tmp_path):
    run = tmp_path / "r"
    done = cli("train", *train_options, "--game", "relativistic", "--steps", 5, "--out", run)
    assert done.returncode == 0, done.stderr
    facts = json.loads((run / "run.json").read_text())
    assert "dalikit-relativistic" in {p["distribution"] for p in facts["plugins"]}
    assert yaml.safe_load((run / "config.yaml").read_text())["game"] == {"name": "relativistic", "gamma": 0.5}


@pytest.mark.parametrize("options", [["--method", "gan"], ["--recipe", "ring8"]])
def test_other_methods_and_data(cli, options, tmp_path):
    run = tmp_path / "r"
    done = cli("train", *options, "--steps", 4, "--set", "trainer.batch_size=8", "--out", run)
    assert done.returncode == 0, done.stderr
    assert (run / "samples" / "step-000004.png").is_file()
    if "gan" in options:
        assert "has no encoder to reconstruct with" in done.stdout
        assert not (run / "reconstructions").exists()
        assert "dalikit reconstruct" not in done.stdout


def steps_logged(run):
    """Whether a training is past its first steps; it logs pictures before those."""
    log = run / "metrics.jsonl"
    return log.exists() and '"losses"' in log.read_text()


def heeding():
    """Make a process heed the signals that the tests' own may have been told to ignore, as by nohup."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


def start(run, options, steps=100_000):
    words = [sys.executable, "-m", "dalikit", "train", "--set", "callbacks.checkpoint.every=100000", "--set",
             "callbacks.log.every=10", *options, "--steps", str(steps), "--out", str(run)]  # fmt: skip
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ, preexec_fn=heeding
    )
    deadline = time.monotonic() + 120
    while not steps_logged(run):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGUSR1, 138)],
)
def test_a_signal_leaves_a_checkpoint_and_says_how_to_resume(cli, train_options, tmp_path, number, code):
    run = tmp_path / "r"
    process = start(run, [*train_options, *CONSTANT])
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert err == ""
    assert f"Stopped by {number.name} at step" in out
    assert f"Go on with: dalikit train --resume {run}" in out
    (checkpoint,) = run.glob("checkpoints/step-*")
    step = int(checkpoint.name[5:])
    # What was interrupted ends as what was not: both to the same later step.
    further = step + 7
    assert cli("train", "--resume", run, "--steps", further).returncode == 0
    whole = tmp_path / "whole"
    cli("train", *train_options, *CONSTANT, "--steps", further, "--out", whole)
    same(tensors(whole), tensors(run))
    kept = [r for r in records(run) if r["event"] == "losses"]
    assert [r["step"] for r in kept] == sorted({r["step"] for r in kept})


def test_a_wish_to_stop_that_is_told_twice_is_one_wish(train_options, tmp_path):
    run = tmp_path / "r"
    process = start(run, train_options)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 143, err
    assert "Go on with" in out
    assert list(run.glob("checkpoints/step-*"))


def test_a_later_signal_ends_it_at_once(trained):
    from dalikit.cli import signals, train
    from dalikit.errors import Interrupted
    from dalikit.runs import RunDirectory

    asked = []
    told = partial(train._last_words, RunDirectory(trained))
    with signals.first_gracefully(lambda: asked.append(1), told) as caught:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        assert (caught, asked) == ([signal.SIGTERM], [1])
        time.sleep(signals.GRACE + 0.1)
        with pytest.raises(
            Interrupted, match=r"Stopped at once by SIGUSR1; go on from step-000030"
        ) as raised:
            signal.raise_signal(signal.SIGUSR1)
    assert raised.value.exit_code == 128 + signal.SIGUSR1


@pytest.mark.parametrize("after", [0.3, 0.5, 0.8, 1.2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_is_answered_while_torch_is_imported(number, after, tmp_path):
    """Where an error that a handler raises would abort the process."""
    words = [sys.executable, "-m", "dalikit", "train", "--out", str(tmp_path / "r")]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heeding
    )
    time.sleep(after)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert err in ("", "Interrupted.\n", f"Interrupted by {number.name}.\n")


def test_an_error_that_is_swallowed_ends_the_process_all_the_same():
    """Some library swallowed it, once in sixty starts: the command went on as if nobody had asked."""
    program = """
import signal, time
from dalikit.cli.signals import at_once
with at_once():
    while True:
        try:
            print("ready", flush=True)
            time.sleep(60)
        except BaseException:
            pass
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeding,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (129, "Interrupted by SIGHUP.\n")


def test_memory_that_runs_out_is_nobodys_fault_and_says_how_to_go_on(
    cli, train_options, tmp_path, monkeypatch
):
    from dalikit.components.games.gan import GAN

    run, calls, plain = tmp_path / "r", [], GAN.discriminator_loss

    def greedy(self, real, fake):
        calls.append(1)
        if len(calls) > 25:
            torch.empty(1 << 45)  # 128 TiB
        return plain(self, real, fake)

    words = ["train", *train_options, "--steps", "40", "--set", "callbacks.checkpoint.every=10"]
    with monkeypatch.context() as patch:
        patch.setattr(GAN, "discriminator_loss", greedy)
        ended = cli(*words, "--out", run)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert re.search(r"Memory ran out in phase 'discriminator' of step 2\d: a smaller", ended.stderr)
    assert f"Go on from step-000020: dalikit train --resume {run}" in ended.stderr
    assert cli("train", "--resume", run).returncode == 0


def test_edited_scores_and_logs_are_refused_and_made_anew_where_that_is_accepted(
    cli, trained, command, tmp_path
):
    run = shutil.copytree(trained, tmp_path / "r")
    said = (run / "scores.json").read_text()
    (run / "scores.json").write_text(re.sub(r'"mse_01": 0', '"mse_01": 1', said))
    refused = command("train", "--resume", run)
    assert refused.returncode == 2
    assert "scores.json changed. --accept-changes" in refused.stderr
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join([lines[0], "x" + lines[1], *lines[2:]]))
    again = command("train", "--resume", run, "--accept-changes")
    assert again.returncode == 0, again.stderr
    found = json.loads((run / "scores.json").read_text())["metrics"]["reconstruction"]["mse_01"]
    assert found == json.loads(said)["metrics"]["reconstruction"]["mse_01"]
    assert len({(r["step"], r["event"], r.get("metric"), r.get("path")) for r in records(run)}) == len(
        records(run)
    )


def test_a_run_that_was_moved_away_ends_at_once_and_says_so(train_options, tmp_path):
    often = [f"--set=callbacks.{name}.every={steps}" for name, steps in (("checkpoint", 20), ("pictures", 3))]
    words = ["train", *train_options, "--steps", "100000", *often]
    process = subprocess.Popen(
        [sys.executable, "-m", "dalikit", *words, "--out", str(tmp_path / "r")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "r").glob("checkpoints/step-*[0-9]")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (tmp_path / "r").rename(tmp_path / "elsewhere")
    moved = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - moved < 40  # less than a checkpoint is tried again for
    assert process.returncode == 1
    assert "it was moved or removed" in err
    assert "start anew" not in err
    assert not (tmp_path / "r").exists()


def test_what_nohup_asks_for_is_heeded(train_options, tmp_path):
    """A signal that was ignored when the command began stays so."""
    words = [sys.executable, "-m", "dalikit", "train", *train_options, "--steps", "100000"]
    begun = subprocess.Popen(
        [*words, "--set", "callbacks.log.every=10", "--out", str(tmp_path / "r")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    deadline = time.monotonic() + 120
    while not steps_logged(tmp_path / "r"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    begun.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert begun.poll() is None
    begun.send_signal(signal.SIGTERM)
    _, err = begun.communicate(timeout=60)
    assert begun.returncode == 143, err


def test_a_reader_that_goes_costs_no_training(train_options, tmp_path):
    """Of standard output and standard error alike: there is nobody left who could be told."""
    run = tmp_path / "r"
    words = [sys.executable, "-m", "dalikit", "train", *train_options, "--steps", "400", "--out", str(run)]
    process = subprocess.Popen(
        [*words, "--set", "callbacks.progress.every=5", "--set", "callbacks.progress.seconds=0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    while not process.stdout.readline().startswith(b"step "):
        assert process.poll() is None
    process.stdout.close()
    assert process.wait(timeout=120) in (0, 1)
    assert RunDirectory(run).load_checkpoint().manifest.step == 400


@pytest.mark.parametrize("limit", ["inf", "nan", "-1"])
def test_a_time_limit_is_a_number_of_minutes(cli, train_options, tmp_path, limit):
    done = cli("train", *train_options, "--max-time", limit, "--out", tmp_path / "r")
    assert done.returncode == 2
    assert "max-time" in done.stderr


def test_a_time_limit_leaves_a_checkpoint_and_a_code_of_its_own(cli, train_options, tmp_path):
    run = tmp_path / "r"
    done = cli("train", *train_options, "--steps", 1_000_000, "--max-time", 0.02, "--out", run)
    assert done.returncode == 124, done.stderr
    assert "Stopped by --max-time 0.02 at step" in done.stdout
    (checkpoint,) = run.glob("checkpoints/step-*")
    assert cli("train", "--resume", run, "--steps", int(checkpoint.name[5:]) + 2).returncode == 0


def test_ctrl_c_in_another_command_says_so(cli, trained, monkeypatch):
    from dalikit import model

    monkeypatch.setattr(model, "load", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    done = cli("sample", trained)
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")


def test_a_killed_run_goes_on_from_its_last_checkpoint(cli, train_options, tmp_path):
    run = tmp_path / "r"
    process = start(run, [*train_options, "--set", "callbacks.checkpoint.every=5"])
    deadline = time.monotonic() + 60
    while not list(run.glob("checkpoints/step-*[0-9]")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()
    step = max(int(p.name[5:]) for p in run.glob("checkpoints/step-*[0-9]"))
    done = cli("train", "--resume", run, "--steps", step + 3)
    assert done.returncode == 0, done.stderr
    assert f"at step {step} of {step + 3}" in done.stdout
