"""`dalikit reproduce` and `compare`: a tiny study is done, skipped, stopped, gone on with, and refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import fakes
import pytest
import tiny_study
import yaml
from PIL import Image

from dalikit.errors import RunError, UserError
from dalikit.runs import RunDirectory
from dalikit.runs.sealing import seal_object
from dalikit.studies import compare, launch, reproduce
from dalikit.studies.records import Record
from dalikit.studies.table import Table

SEEDS = 2


def install(folder, patch):
    fakes.install(folder / "plugins", patch, "dalikit-tiny", tiny_study.SOURCE)
    patch.setattr(launch, "subprocess", SimpleNamespace(Popen=tiny_study.Process))


@pytest.fixture(autouse=True)
def _tiny(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def done(cli, tmp_path_factory):
    """The folder of a study that was carried out: two rows that work, two that do not."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        install(folder, patch)
        out = folder / "out"
        finished = cli("reproduce", "tiny", "--seeds", SEEDS, "--jobs", 2, "--out", out)
    assert finished.returncode == 1, finished.stderr  # two rows fail, and the table is there none the less
    (folder / "said").write_text(finished.stdout)
    return out


def table(out):
    return json.loads((out / "tiny.json").read_text())


def scored(run):
    """The run's validation scores, without the time."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in line.items() if k != "time"} for line in lines if line["event"] == "score"]


def figures(out, seed=0):
    """What a finished run of the long study scored, at the end and before."""
    run = out / f"runs/digits/dali/seed{seed}"
    return json.loads((run / "scores.json").read_text())["metrics"], scored(run)


def line(document, row):
    return next(found for found in document["rows"] if found["row"] == row)


def one_line(finished, code=2):
    assert finished.returncode == code, finished.stderr
    assert finished.stderr.count("\n") == 1, finished.stderr
    return finished.stderr


def test_the_table_has_every_seed_beside_the_papers_figure(done):
    document = table(done)
    assert document["seeds"] == [0, 1]
    assert document["command"] == "dalikit reproduce tiny --budget quick --seeds 2"
    dali = line(document, "dali")
    assert dali["steps"] == [20]
    assert dali["seconds"]["mean"] > 0
    error = dali["cells"]["MSE, %"]
    assert error["paper"] == [1.5, 0.5]
    stored = [json.loads((done / f"runs/digits/dali/seed{s}/scores.json").read_text()) for s in range(SEEDS)]
    a, b = (100 * scores["metrics"]["reconstruction"]["mse_01"] for scores in stored)
    assert 1 < min(a, b) < max(a, b) < 50, "figures that tell runs apart"
    assert error["final"]["mean"] == pytest.approx((a + b) / 2)
    assert error["final"]["standard_error"] == pytest.approx(abs(a - b) / 2)
    assert error["final"]["mean"] == pytest.approx(100 * dali["cells"]["MSE"]["final"]["mean"])
    bests = [scores["best"] for scores in stored]
    assert error["best"]["values"] == [100 * best["metrics"]["reconstruction"]["mse_01"] for best in bests]
    for seed, best in enumerate(bests):
        log = scored(done / f"runs/digits/dali/seed{seed}")
        assert [score["step"] for score in log] == [10, 20]
        (chosen,) = [score for score in log if score["step"] == best["step"]]
        assert chosen["mse_01"] == min(score["mse_01"] for score in log)
    assert dali["best_steps"] == [best["step"] for best in bests]
    assert document["protocols"]["digits"]["reconstruction"]["count"] == 360
    assert "Protocol of reconstruction on digits: " in (done / "tiny.md").read_text()
    assert dali["runs"] == [f"runs/digits/dali/seed{s}" for s in range(SEEDS)], (
        "places below the table's folder"
    )
    with Image.open(done / "tiny.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 300
    assert "| DALI |" in (done / "tiny.md").read_text()


def test_a_row_that_fails_leaves_its_reason_and_the_rest_goes_on(done):
    document = table(done)
    failing, senseless = line(document, "failing"), line(document, "senseless")
    assert "Device 'abacus' cannot be used" in failing["failed"]["0"]
    assert failing["cells"]["MSE"]["final"] is None
    assert "Device 'abacus'" in failing["cells"]["MSE"]["reason"]
    assert "posterior 'diag' means nothing" in senseless["failed"]["1"]
    assert "metric 'nothing' was not computed" in line(document, "ali")["cells"]["FID"]["reason"]
    assert "Device 'abacus'" in (done / "tiny.md").read_text()
    assert "Device 'abacus'" in (done.parent / "said").read_text()


def test_what_is_finished_is_skipped(cli, done):
    log = done / "logs" / "digits-dali-seed0.out"
    before = (log.stat().st_mtime_ns, table(done)["rows"][:2])
    again = cli("reproduce", "tiny", "--rows", "dali,ALI", "--seeds", SEEDS, "--out", done, "--json")
    assert again.returncode == 0, again.stderr
    rows = json.loads(again.stdout)["rows"]
    assert [row["cells"] for row in rows] == [row["cells"] for row in before[1]]
    assert rows[0]["cells"]["MSE"] != rows[1]["cells"]["MSE"]
    assert log.stat().st_mtime_ns == before[0]


def test_a_run_stopped_after_its_last_step_is_scored(cli, done, tmp_path):
    out = shutil.copytree(done, tmp_path / "out")
    scores = out / "runs/digits/dali/seed0/scores.json"
    before = json.loads(scores.read_text())["metrics"]
    scores.unlink()
    again = cli("reproduce", "tiny", "--rows", "dali", "--out", out)
    assert again.returncode == 0, again.stderr
    assert json.loads(scores.read_text())["metrics"] == before


def test_what_left_a_metric_out_is_scored_again_when_asked(cli, done, tmp_path):
    out = shutil.copytree(done, tmp_path / "out")
    scores = [out / f"runs/digits/{row}/seed0/scores.json" for row in ("dali", "ali")]
    before = json.loads(scores[0].read_text())
    changed = {**before, "metrics": {}, "skipped": {"reconstruction": "not today"}}
    scores[0].write_text(json.dumps(seal_object(changed)))
    stamp = scores[1].stat().st_mtime_ns
    words = ("reproduce", "tiny", "--rows", "dali,ali", "--out", out)
    assert "DALI on digits, MSE; MSE, %: not today" in cli(*words).stdout
    assert "not today" not in cli(*words, "--rescore").stdout
    assert json.loads(scores[0].read_text())["metrics"] == before["metrics"]
    assert scores[1].stat().st_mtime_ns == stamp


def test_pictures_of_finished_runs_are_put_together(cli, done, tmp_path):
    out = shutil.copytree(done, tmp_path / "out")
    before = (out / "tiny.json").read_bytes()
    again = cli("reproduce", "tiny-pictures", "--rows", "dali,ali", "--out", out)
    assert again.returncode == 0, again.stderr
    assert (out / "tiny.json").read_bytes() == before, "another study of the same runs has files of its own"
    with Image.open(out / "tiny-pictures.png") as picture:
        assert len(picture.convert("L").getcolors()) > 100, "digits"
        assert picture.width > picture.height  # two rows' samples and reconstructions, side by side


# --- interruptions ---------------------------------------------------------------------------------------

LONG = ("reproduce", "tiny", "--budget", "paper", "--rows", "dali")


@pytest.fixture(scope="module")
def whole(cli, tmp_path_factory):
    """The folder of the long study, that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        install(folder, patch)
        finished = cli(*LONG, "--seeds", 2, "--jobs", 2, "--out", folder / "out")
    assert finished.returncode == 0, finished.stderr
    assert figures(folder / "out", 0) != figures(folder / "out", 1)
    return folder / "out"


def until(found):
    """Wait for what `found` returns, once it is true."""
    deadline = time.monotonic() + 60
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


def trainer_of(run):
    """The number of the process that trains, once it has written a checkpoint."""
    until(lambda: list(run.glob("checkpoints/step-*[0-9]")))
    return int((run / ".lock").read_text())


@contextmanager
def meanwhile(act):
    """Do something beside the block, and see that it was done."""
    with ThreadPoolExecutor() as pool:
        done = pool.submit(act)
        yield
        done.result()


@pytest.mark.parametrize(("number", "seeds"), [(signal.SIGTERM, 1), (signal.SIGINT, 2)])
def test_an_interrupted_study_goes_on(cli, tmp_path, whole, number, seeds):
    out = tmp_path / "out"
    words = (*LONG, "--seeds", seeds, "--jobs", seeds, "--out", out)
    runs = [out / f"runs/digits/dali/seed{seed}" for seed in range(seeds)]

    def interrupt():
        for run in runs:
            until(lambda run=run: (run / "metrics.jsonl").exists())  # it draws no pictures
        os.kill(os.getpid(), number)

    with meanwhile(interrupt):
        stopped = cli(*words)
    assert one_line(stopped, 128 + number) == "Stopped; the same command goes on from here.\n"
    assert all(list(run.glob("checkpoints/step-*")) for run in runs)
    assert not all((run / "scores.json").exists() for run in runs)
    assert not (out / "tiny.json").exists()
    again = cli(*words)
    assert again.returncode == 0, again.stderr
    assert line(table(out), "dali")["steps"] == [800]
    assert [figures(out, seed) for seed in range(seeds)] == [figures(whole, seed) for seed in range(seeds)]
    if seeds == 1:
        assert "Going on with" in (out / "logs/digits-dali-seed0.out").read_text()
        assert len((runs[0] / "attempts.jsonl").read_text().splitlines()) == 2


def test_a_run_that_is_killed_says_so_and_goes_on(cli, tmp_path, whole):
    out = tmp_path / "out"
    run = out / "runs/digits/dali/seed0"
    with meanwhile(lambda: os.kill(trainer_of(run), signal.SIGKILL)):
        killed = cli(*LONG, "--out", out)
    assert killed.returncode == 1
    assert line(table(out), "dali")["failed"] == {"0": "ended by SIGKILL"}
    assert (run / ".lock").exists(), "of no account: nobody holds it"
    assert cli(*LONG, "--out", out).returncode == 0
    assert figures(out) == figures(whole)
    assert not (run / ".lock").exists()


def test_what_outlives_a_killed_study_is_left_to_it(cli, tmp_path, whole):
    out = tmp_path / "out"
    run = out / "runs/digits/dali/seed0"
    words = [sys.executable, "-m", "dalikit", *LONG, "--out", str(out)]
    plugin = {**os.environ, "PYTHONPATH": str(tmp_path / "plugins" / "dalikit-tiny")}
    parent = subprocess.Popen(words, env=plugin, stdout=subprocess.DEVNULL)
    orphan = trainer_of(run)
    os.kill(orphan, signal.SIGSTOP)  # it trains for as long as the test needs
    try:
        parent.kill()
        parent.wait()
        before = (run / "metrics.jsonl").read_bytes()
        again = cli(*LONG, "--out", out)
        assert again.returncode == 1
        assert line(table(out), "dali")["failed"]["0"].endswith(f"is being trained by process {orphan}")
        assert (run / "metrics.jsonl").read_bytes() == before
    finally:
        os.kill(orphan, signal.SIGKILL)
    until(lambda: free(run))
    assert cli(*LONG, "--out", out).returncode == 0
    assert figures(out) == figures(whole)


def free(run):
    try:
        with RunDirectory(run).locked():
            return True
    except UserError:
        return False


# --- what is there, and what is wrong with it ------------------------------------------------------------


def test_damaged_scores_are_their_rows_reason(cli, done, tmp_path):
    out = shutil.copytree(done, tmp_path / "out")
    (out / "runs/digits/dali/seed0/scores.json").write_text("{}")
    (out / "runs/digits/ali/seed1/metrics.jsonl").write_text("{}\n")
    again = cli("reproduce", "tiny", "--rows", "dali,ali", "--seeds", SEEDS, "--out", out)
    assert again.returncode == 1
    dali, ali = table(out)["rows"]
    assert "is damaged: scores.json" in dali["failed"]["0"]
    assert ali["failed"] == {}, "the table is made of scores, not of the log"
    assert [row["cells"]["MSE"]["final"]["seeds"] for row in (dali, ali)] == [1, 2]


def test_a_table_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    empty, out = Table("t", (), (), {}), tmp_path / "out"
    reproduce.write(empty, out, "t")
    before = {path: path.read_bytes() for path in out.iterdir()}

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RunError, match="No space left"):
        reproduce.write(replace(empty, title="other"), out, "t")
    assert {path: path.read_bytes() for path in before} == before


BAD = {
    "tinny": "Unknown study 'tinny'. Did you mean 'tiny'?",
    "tiny --rows dali,daly": "has no row 'daly'. Did you mean 'dali'? It has: dali, ali",
    "tiny --budget large": "has no budget 'large'. It has: quick, paper",
    "tiny --rows ,": "is asked for no row",
    "tiny --dataset grid25": "has no data set 'grid25'. It has: digits",
    "tiny --seeds 0": "the number of seeds is 1 to 1000",
    "tiny --seeds one": "--seeds one: give how many",
    "tiny --jobs 0": "Invalid value for '--jobs'",
}


@pytest.mark.parametrize("words", BAD)
def test_reproduce_says_what_is_wrong_and_leaves_nothing_behind(cli, words, tmp_path):
    out = tmp_path / "out"
    assert BAD[words] in one_line(cli("reproduce", *words.split(), "--out", out))
    assert not out.exists()


def test_a_run_of_other_settings_is_not_taken_for_this_one(cli, done):
    said = one_line(cli("reproduce", "tiny", "--budget", "paper", "--rows", "dali", "--out", done))
    assert "holds a run of other settings (trainer, callbacks): choose another --out" in said


def test_a_study_of_which_nothing_finished_ends_with_code_1(cli, tmp_path):
    finished = cli("reproduce", "tiny", "--rows", "senseless", "--out", tmp_path / "out")
    assert "No run of tiny finished" in one_line(finished, 1)
    assert "means nothing" in (tmp_path / "out" / "tiny.md").read_text()


# --- compare ---------------------------------------------------------------------------------------------


def test_compare_puts_seeds_together(cli, done, tmp_path):
    runs = [*sorted(done.glob("runs/digits/dali/seed*")), done / "runs/digits/ali/seed0"]
    finished = cli("compare", *runs, "--json", "--out", tmp_path / "out")
    assert finished.returncode == 0, finished.stderr
    document = json.loads(finished.stdout)
    assert [row["label"] for row in document["rows"]] == ["dali", "ali"]
    ours = document["rows"][0]["cells"]["MSE, %"]["final"]
    assert ours == line(table(done), "dali")["cells"]["MSE, %"]["final"]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"compare.json", "compare.md", "compare.png"}


def test_compare_refuses_different_protocols(cli, done, tmp_path):
    a, b = (shutil.copytree(done / f"runs/digits/dali/seed{s}", tmp_path / str(s)) for s in range(SEEDS))
    scores = json.loads((b / "scores.json").read_text())
    scores["metrics"]["reconstruction"]["protocol"]["count"] = 100
    (b / "scores.json").write_text(json.dumps(seal_object(scores)))
    assert "count is 360 there and 100 here" in one_line(cli("compare", a, b))


def test_compare_counts_no_seed_twice(cli, done, tmp_path):
    run = done / "runs/digits/dali/seed0"
    copy = shutil.copytree(run, tmp_path / "copy")
    said = one_line(cli("compare", run, copy))
    assert f"{run.resolve()} and {copy.resolve()} are of the same settings and both of seed 0" in said


@pytest.mark.filterwarnings("ignore:.*config.yaml changed since it was written")
def test_compare_tells_rows_of_one_recipe_apart(cli, done, tmp_path):
    runs = [shutil.copytree(done / "runs/digits/dali", tmp_path / name / "runs" / "dali") for name in "ab"]
    path = runs[1] / "seed0" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["trainer"]["lr"] = 0.5
    path.write_text(yaml.safe_dump(config))
    rows = json.loads(cli("compare", *(run / "seed0" for run in runs), "--json").stdout)["rows"]
    assert [row["label"] for row in rows] == ["dali (lr 0.002)", "dali (lr 0.5)"]


def test_compare_gives_a_name_once_for_each_data_set():
    folders = ("runs/a/digits", "runs/b/digits", "runs/mnist")
    groups = [
        compare.Group("gan", Path(folder).name, records={0: Record(Path(folder), 1, None, {}, {}, {}, ())})
        for folder in folders
    ]
    assert compare._names(groups) == ["gan (a)", "gan (b)", "gan"]


FAULTS = {
    "no run": "is not a run",
    "no scores": "has no scores.json of its last step: it is not finished",
    "damaged": "is damaged: scores.json",
    "gone on with": "has no scores.json of its last step: it is not finished",
}


@pytest.mark.filterwarnings("ignore:.*config.yaml changed since it was written")
@pytest.mark.parametrize("fault", FAULTS)
def test_compare_says_which_run_is_wrong(cli, done, tmp_path, fault):
    run = shutil.copytree(done / "runs/digits/dali/seed0", tmp_path / "run")
    if fault == "damaged":
        (run / "scores.json").write_text("{}")
    elif fault == "gone on with":  # by an earlier version, which left the scores where they were
        config = yaml.safe_load((run / "config.yaml").read_text())
        config["trainer"]["steps"] = 30
        (run / "config.yaml").write_text(yaml.safe_dump(config))
    else:
        (run / {"no run": "config.yaml", "no scores": "scores.json"}[fault]).unlink()
    assert FAULTS[fault] in one_line(cli("compare", run))
