"""`dalikit verify`: nothing of a run is changed without being told of, and nothing sound is damaged."""

import json
import os
import re
import shutil
import threading

import fakes
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from dalikit import inspection
from dalikit.assembly.registry import Registry
from dalikit.errors import UserError
from dalikit.runs import RunDirectory
from dalikit.runs.manifest import MANIFEST, Manifest, facts_of
from dalikit.runs.sealing import seal_object
from dalikit.runs.verifying import verify_files

LAST = "checkpoints/step-000030"
WORDS = ["--backbone", "mlp", "--set", "generator.width=8", "--set", "trainer.batch_size=8"]


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a finished run, to be damaged."""
    return shutil.copytree(trained, tmp_path / "run")


def wrong(path):
    """What is said of a run's files, a line each."""
    return [str(fault) for fault in verify_files(path).faults]


def files_of(path):
    """All files whose content a promise is made for, and how much of each."""
    manifest = Manifest.read(path / LAST)
    everywhere = {
        file: file.stat().st_size for file in path.rglob("*") if file.is_file() and file.suffix != ".png"
    }
    return everywhere | {path / "metrics.jsonl": manifest.log.size}


def rewritten(folder, **changes):
    """A manifest that is right about files that were changed, as a clumsy script would leave it."""
    manifest = Manifest.read(folder).model_copy(update=changes)
    (folder / MANIFEST).unlink()
    whole = manifest.model_copy(update={"files": dict(facts_of(folder))})
    (folder / MANIFEST).write_text(whole.text())


def test_a_sound_run_is_whole_and_counted(trained, cli):
    done = cli("verify", trained)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    assert re.search(
        r"is whole: checkpoints of step 20, 30, best weights of step \d+, .*draws and encodes", done.stdout
    )
    document = json.loads(cli("verify", trained, "--json").stdout)
    assert document["whole"]
    assert (document["faults"], document["checkpoints"], document["used"]) == ([], [20, 30], ["last", "best"])
    assert document["files"] == len(files_of(trained))
    lines = (trained / "metrics.jsonl").read_text().splitlines()
    assert document["lines"] == len(lines)
    assert document["size"] == pytest.approx(sum(f.stat().st_size for f in files_of(trained)), rel=0.1)


@pytest.mark.parametrize("name", ["config.yaml", "metrics.jsonl"])
def test_what_is_no_file_is_damage_and_not_waited_for(run, cli, name):
    (run / name).unlink()
    os.mkfifo(run / name)
    done = cli("verify", run)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(f"{name}: ")


def test_a_file_is_not_read_further_than_it_should_go(run):
    path = run / LAST / "averaged.safetensors"
    with path.open("ab") as file:
        file.truncate(1 << 40)  # more than any memory holds
    assert wrong(run) == [f"{LAST}/averaged.safetensors: is not as it was written"]


def test_nothing_is_written(trained, cli):
    before = {file: file.stat().st_mtime_ns for file in trained.rglob("*")}
    cli("verify", trained)
    assert {file: file.stat().st_mtime_ns for file in trained.rglob("*")} == before


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flip_of_a_bit_in_any_file_is_passed_over(trained, tmp_path_factory, data):
    copy = tmp_path_factory.mktemp("flip") / "run"
    shutil.copytree(trained, copy, ignore=shutil.ignore_patterns("*.png"))
    sizes = files_of(copy)
    file = data.draw(st.sampled_from(sorted(sizes)))
    bit = data.draw(st.integers(0, 8 * sizes[file] - 1))
    content = bytearray(file.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)
    said = wrong(copy)
    assert said
    assert all(line.startswith(str(file.relative_to(copy))) or "config.yaml" in line for line in said), said
    shutil.rmtree(copy)


@pytest.mark.parametrize("how", ["gone", "empty", "half", "more"])
def test_no_file_that_is_missing_cut_or_grown_is_passed_over(run, how):
    for file, size in files_of(run).items():
        content = file.read_bytes()
        if how == "gone":
            file.unlink()
        else:
            cut = {"empty": b"", "half": content[: size // 2], "more": content + b"more\n"}
            file.write_bytes(cut[how])
        is_optional = how == "gone" and file.name == "scores.json"  # as of a run that is not finished
        assert bool(wrong(run)) != is_optional, file
        file.write_bytes(content)
    assert wrong(run) == []


def test_each_thing_that_is_wrong_has_a_line_of_its_own(run, cli):
    (run / LAST / "averaged.safetensors").write_bytes(b"none")
    (run / LAST / "state.json").unlink()
    scores = json.loads((run / "scores.json").read_text())
    (run / "scores.json").write_text(json.dumps({**scores, "seed": 7}))
    done = cli("verify", run)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[:-1] == [
        "scores.json: is not as it was written",
        f"{LAST}/averaged.safetensors: is not as it was written",
        f"{LAST}/state.json: No such file or directory",
    ]
    assert "is damaged: 3 things are wrong" in lines[-1]
    document = json.loads(cli("verify", run, "--json").stdout)
    assert [f"{fault['where']}: {fault['says']}" for fault in document["faults"]] == lines[:-1]
    assert document["used"] == ["last", "best"], "the whole one before it can be used"


@pytest.mark.parametrize(
    ("file", "tensor"),
    [
        ("averaged.safetensors", "generator."),
        ("training.safetensors", "method/generator."),
        ("training.safetensors", "optimizer/generator/"),
    ],
)
def test_weights_averages_and_moments_that_are_not_finite_are_told_of(run, file, tensor):
    """Though every digest is right."""
    path = run / LAST / file
    tensors = load_file(path)
    name = next(n for n, t in tensors.items() if n.startswith(tensor) and t.is_floating_point() and t.dim())
    tensors[name].view(-1)[0] = float("nan")
    save_file(tensors, path)
    rewritten(run / LAST)
    assert wrong(run) == [f"{LAST}/{file}: {name} is not finite"]


def test_what_is_infinite_by_design_is_not_wrong(run):
    path = run / LAST / "averaged.safetensors"
    tensors = load_file(path)
    name = next(n for n, t in tensors.items() if n.startswith("generator."))
    tensors[name].view(-1)[0] = float("-inf")
    save_file(tensors, path)
    rewritten(run / LAST, infinite=(name,))
    assert wrong(run) == []


def test_weights_that_do_not_fit_are_told_of(run, cli):
    for folder in ("checkpoints/step-000020", LAST):
        path = run / folder / "averaged.safetensors"
        tensors = load_file(path)
        name = next(n for n, t in tensors.items() if n.startswith("generator.") and t.dim() == 2)
        save_file({**tensors, name: torch.zeros(2, 2)}, path)
        rewritten(run / folder)
    done = cli("verify", run)
    assert done.returncode == 1
    assert re.search(r"checkpoints: cannot be used: .*its weights do not fit: .* is needed", done.stdout)


def log_with(run, change):
    """Change the log, and have every manifest vouch for what it is then."""
    path = run / "metrics.jsonl"
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))
    for folder in RunDirectory(run).checkpoints():
        rewritten(folder, log=None)


def test_a_gap_in_the_log_is_told_of(cli, tmp_path, train_options):
    run = tmp_path / "run"
    every = ["--set", "callbacks.log.every=4", "--set", "callbacks.checkpoint.every=10"]
    assert cli("train", *train_options, *every, "--steps", 22, "--out", run).returncode == 0
    assert wrong(run) == []
    lines = (run / "metrics.jsonl").read_text()

    def without(*steps):
        return lambda texts: [
            t for t in texts if (line := json.loads(t))["event"] != "losses" or line["step"] not in steps
        ]

    log_with(run, without(8))
    assert wrong(run) == ["metrics.jsonl: has no losses of step 8 (callbacks.log.every is 4)"]
    log_with(run, without(12, 16))
    assert wrong(run) == [
        "metrics.jsonl: has no losses of step 8, nor of 2 more such steps (callbacks.log.every is 4)"
    ]
    (run / "metrics.jsonl").write_text(lines)
    log_with(run, lambda texts: [*texts[1:], texts[0]])
    assert [line for line in wrong(run) if "and the one above it of step 22" in line]
    (run / "metrics.jsonl").write_text(lines)
    log_with(run, lambda texts: texts[:-1])
    assert wrong(run) == ["metrics.jsonl: has no final scores of step 22, which scores.json has"]


def test_a_checkpoint_that_the_log_has_passed_is_missed(run):
    shutil.rmtree(run / LAST)
    assert wrong(run) == ["checkpoints: there is none of step 30, and the run has gone on from it"]
    shutil.rmtree(run / "checkpoints")
    assert "checkpoints: there is none of step 30, and the run has gone on from it" in wrong(run)


def test_best_weights_that_a_checkpoint_speaks_of_are_missed(run):
    for folder in RunDirectory(run).bests():
        shutil.rmtree(folder)
    assert [
        line for line in wrong(run) if re.match(r"best/step-\d+: is missing, and was the best when", line)
    ]


def test_files_of_another_run_are_none_of_this_ones(run, cli, tmp_path, train_options):
    other = tmp_path / "other"
    words = ["--set", "callbacks.checkpoint.every=10", "--seed", 5, "--steps", 30]
    assert cli("train", *train_options, *words, "--out", other).returncode == 0
    shutil.rmtree(run / LAST)
    shutil.copytree(other / LAST, run / LAST)
    assert wrong(run)[0] == f"{LAST}: is of another run"
    shutil.rmtree(run)
    shutil.copytree(other, run)
    shutil.copy(tmp_path / "other" / "config.yaml", run / "config.yaml")
    assert wrong(run) == []
    (run / "config.yaml").write_text((other / "config.yaml").read_text().replace("seed: 5", "seed: 6"))
    assert wrong(run) == ["config.yaml: is not as it was written"]


def test_a_run_with_another_runs_configuration_is_told_of(run, cli, tmp_path, train_options):
    other = tmp_path / "other"
    assert cli("train", *train_options, "--seed", 5, "--steps", 2, "--out", other).returncode == 0
    shutil.copy(other / "config.yaml", run / "config.yaml")
    assert "config.yaml: is not what step 30 was trained by" in wrong(run)


@pytest.mark.parametrize("steps", [1, 3])
def test_a_run_that_has_no_checkpoint_yet_is_whole(cli, tmp_path, train_options, steps):
    run = tmp_path / "run"
    off = ["--set", "callbacks.checkpoint=null", "--set", "callbacks.best=null"]
    assert cli("train", *train_options, *off, "--steps", steps, "--out", run).returncode == 0
    done = cli("verify", run)
    assert done.returncode == 0, done.stdout
    assert "no checkpoint yet" in done.stdout
    assert "Not drawn from: it has no checkpoint" in done.stdout


@pytest.mark.parametrize("what", ["nothing", "empty", "file", "old"])
def test_what_is_no_run_is_refused_with_2(cli, tmp_path, what):
    path = tmp_path / "what"
    if what == "file":
        path.write_text("no run")
    elif what != "nothing":
        path.mkdir()
    if what == "old":
        (path / "config.yaml").write_text("seed: 0\n")
        data = {"x_shape": [2], "value_range": None}
        (path / "run.json").write_text(json.dumps({"format": 2, "data": data}))
    done = cli("verify", path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert ("is of format 2" if what == "old" else "is not a run") in done.stderr


def test_a_configuration_that_is_gone_is_damage_where_there_is_a_run(run, cli):
    (run / "config.yaml").unlink()
    done = cli("verify", run)
    assert done.returncode == 1
    assert done.stdout.startswith("config.yaml: No such file")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"step": 1'])
def test_whatever_stands_in_a_file_there_is_a_line_of_it(run, cli, content):
    for file in ("run.json", "config.yaml", "scores.json", "metrics.jsonl", f"{LAST}/state.json"):
        before = (run / file).read_bytes()
        (run / file).write_bytes(content)
        done = cli("verify", run)
        assert (done.returncode, done.stderr) == (1, ""), (file, done.stderr)
        assert file in done.stdout
        (run / file).write_bytes(before)


def test_what_is_nested_without_end_is_a_line_too(run, cli):
    for file in ("run.json", "scores.json", "metrics.jsonl", f"{LAST}/manifest.json"):
        before = (run / file).read_bytes()
        (run / file).write_bytes(b"[" * 100_000)
        assert any(line.startswith(file) for line in wrong(run)), file
        (run / file).write_bytes(before)


def test_a_state_that_says_nothing_is_told_of(run):
    for content in ("[]", "{}", '{"step": 29}', '{"step": 30, "callbacks": []}'):
        (run / LAST / "state.json").write_text(content)
        rewritten(run / LAST)
        assert wrong(run)[0].startswith(f"{LAST}/state.json: it "), content


def test_a_run_that_trains_meanwhile_is_whole_all_the_time(tmp_path, cli, train_options):
    """Checkpoints and best weights come and go under the reader."""
    run, ended = tmp_path / "run", threading.Event()
    often = ["--set", "callbacks.checkpoint.every=1", "--set", "callbacks.checkpoint.keep=1"]
    often += ["--set", "callbacks.evaluation.every=2", "--set", "callbacks.log.every=1"]
    found, looks = [], 0

    def read():
        nonlocal looks
        while not ended.is_set():
            if (run / "config.yaml").exists():
                looks += 1
                found.extend(wrong(run))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert cli("train", *train_options, *often, "--steps", 60, "--out", run).returncode == 0
    finally:
        ended.set()
        reader.join()
    assert looks > 5
    assert found == []


def test_a_run_that_was_resumed_and_rolled_on_is_whole(run, cli):
    done = cli("train", "--resume", run, "--steps", 47)
    assert done.returncode == 0, done.stderr
    assert wrong(run) == []


@pytest.mark.filterwarnings("always::UserWarning")
def test_a_run_that_was_rolled_back_is_whole(cli, tmp_path, train_options, monkeypatch):
    fakes.install_file(tmp_path / "site", monkeypatch, "faulty")
    run, words = tmp_path / "run", ["--game", "sour", "--set", "game.fault=nan", "--on-nonfinite", "rollback"]
    every = ["--set", "callbacks.checkpoint.every=1", "--set", "callbacks.log.every=1"]
    done = cli("train", *train_options, *words, *every, "--steps", 9, "--out", run)
    assert done.returncode == 1
    assert "going back to step 2" in done.stderr
    assert any(line["event"] == "rollback" for line in RunDirectory(run).log_lines())
    assert cli("verify", run).returncode == 0


def test_a_conditional_run_draws_and_encodes_under_labels(cli, tmp_path, train_options):
    run = tmp_path / "run"
    words = ["--set", "method.conditional=true", "--steps", 2, "--out", run]
    assert cli("train", *train_options, *words).returncode == 0
    document = json.loads(cli("verify", run, "--json").stdout)
    assert (document["whole"], document["used"][0], document["encoded"]) == (True, "last", True)


def test_a_plugin_that_fails_in_use_is_named(cli, tmp_path, train_options, monkeypatch):
    fakes.install_file(tmp_path / "site", monkeypatch, "faulty")
    run = tmp_path / "run"
    off = ["--set", "callbacks.pictures=null", "--set", "callbacks.evaluation=null"]
    plain = [word for word in train_options if "callbacks" not in word][:-1]
    done = cli("train", *plain, *off, "--posterior", "worn", "--steps", 2, "--out", run)
    assert done.returncode == 0, done.stderr

    def worn(self, *heads):
        raise ZeroDivisionError("worn out")

    import fake_faulty

    monkeypatch.setattr(fake_faulty.Worn, "code", worn)
    said = cli("verify", run).stdout
    assert "checkpoints: cannot be used: posterior 'worn' of fake-faulty 1.0" in said


# --- a plugin that is gone --------------------------------------------------------------------------------


@pytest.fixture
def with_game(tmp_path, monkeypatch, cli, train_options):
    """A run whose game comes from a distribution that has been removed since."""
    fakes.install(tmp_path / "site", monkeypatch, "dalikit-toys", fakes.GAME.format(name="toy"), "1.5")
    run = tmp_path / "toys"
    done = cli("train", *train_options, "--game", "toy", "--steps", 3, "--out", run)
    assert done.returncode == 0, done.stderr
    monkeypatch.undo()
    monkeypatch.setenv("COLUMNS", "160")
    return run


NEEDS = "needs game 'toy' of dalikit-toys 1.5, which is not installed: install dalikit-toys==1.5"


def test_without_its_plugin_all_but_its_use_is_verified(with_game, cli):
    done = cli("verify", with_game)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Not drawn from: Run {with_game} {NEEDS}" in done.stdout
    assert "is whole" in done.stdout
    (with_game / "checkpoints/step-000003/averaged.safetensors").write_bytes(b"")
    done = cli("verify", with_game)
    assert done.returncode == 1
    assert "averaged.safetensors: is not as it was written" in done.stdout


@pytest.mark.parametrize(
    "words", ["sample RUN", "evaluate RUN", "train --resume RUN --steps 9", "train --from RUN"]
)
def test_without_its_plugin_it_is_said_what_to_install(with_game, cli, words):
    done = cli(*words.replace("RUN", str(with_game)).split())
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert NEEDS in done.stderr
    assert "Did you mean" not in done.stderr


def test_without_its_plugin_a_run_is_still_reported(with_game, cli):
    done = cli("compare", with_game)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_a_run_that_never_saved_knows_its_distribution_too(with_game, cli):
    shutil.rmtree(with_game / "checkpoints")
    assert NEEDS in cli("train", "--resume", with_game, "--steps", 9).stderr


def test_a_run_of_before_says_it_by_its_manifest(with_game, cli):
    path = with_game / "run.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps(seal_object({k: v for k, v in told.items() if k != "components"})))
    assert NEEDS in cli("sample", with_game).stderr


@pytest.mark.filterwarnings("ignore::dalikit.assembly.registry.PluginWarning")
def test_a_plugin_that_offers_it_no_longer_or_is_broken_is_named_so(with_game, cli, tmp_path, monkeypatch):
    fakes.install(tmp_path / "two", monkeypatch, "dalikit-toys", fakes.GAME.format(name="other"), "2.0")
    said = cli("sample", with_game).stderr
    assert "of dalikit-toys 1.5, which dalikit-toys 2.0 no longer offers: install dalikit-toys==1.5" in said
    fakes.install(tmp_path / "three", monkeypatch, "dalikit-toys", "raise OSError('no such GPU')", "3.0")
    said = cli("sample", with_game).stderr.splitlines()[-1]
    assert "of dalikit-toys 1.5, which cannot be used: OSError: no such GPU" in said


def test_a_plugins_kind_of_player_that_is_gone_is_named(tmp_path, monkeypatch, cli):
    fakes.install_file(tmp_path / "site", monkeypatch, "prior")
    run = tmp_path / "run"
    assert cli("train", *WORDS, "--method", "drawn-gan", "--steps", 2, "--out", run).returncode == 0
    monkeypatch.undo()
    said = cli("sample", run).stderr
    assert re.search(r"needs method 'drawn-gan', and 1 more of fake-prior 1\.0, which is not installed", said)


def test_from_python_the_same_is_said(trained, tmp_path):
    verdict = inspection.verify(trained, Registry.discover())
    assert verdict.whole
    assert verdict.encoded
    with pytest.raises(UserError, match="is not a run"):
        inspection.verify(tmp_path)
