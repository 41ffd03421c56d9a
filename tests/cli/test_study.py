"""`dalikit reproduce` and `compare`: a tiny study is done, skipped, stopped, gone on with, and refused."""

import json
import os
import shutil
import signal
import threading
import time

import fakes
import pytest
import tiny_study
import yaml
from PIL import Image

SEEDS = 2


@pytest.fixture(autouse=True)
def _tiny(tmp_path, monkeypatch):
    fakes.install(tmp_path / "plugins", monkeypatch, "dalikit-tiny", tiny_study.SOURCE)


@pytest.fixture(scope="module")
def done(cli, tmp_path_factory):
    """The folder of a study that was carried out: two rows that work, two that do not."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        fakes.install(folder / "plugins", patch, "dalikit-tiny", tiny_study.SOURCE)
        out = folder / "out"
        finished = cli("reproduce", "tiny", "--seeds", SEEDS, "--jobs", 2, "--out", out)
    assert finished.returncode == 1, finished.stderr  # two rows fail, and the table is there none the less
    (folder / "said").write_text(finished.stdout)
    return out


def table(out):
    return json.loads((out / "tiny.json").read_text())


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
    quality = dali["cells"]["high quality, %"]
    assert quality["paper"] == [50.5, 1.5]
    stored = [json.loads((done / f"runs/ring8/dali/seed{s}/scores.json").read_text()) for s in range(SEEDS)]
    a, b = (100 * scores["metrics"]["modes"]["high_quality"] for scores in stored)
    assert quality["final"]["mean"] == pytest.approx((a + b) / 2)
    assert quality["final"]["standard_error"] == pytest.approx(abs(a - b) / 2)
    assert quality["best"]["mean"] >= 0
    assert document["protocols"]["ring8"]["modes"]["samples"] == 2500
    assert "Protocol of modes on ring8: " in (done / "tiny.md").read_text()
    assert dali["runs"] == [f"runs/ring8/dali/seed{s}" for s in range(SEEDS)], (
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
    assert failing["cells"]["modes"]["final"] is None
    assert "Device 'abacus'" in failing["cells"]["modes"]["reason"]
    assert "posterior 'diag' means nothing" in senseless["failed"]["1"]
    assert "metric 'nothing' was not computed" in line(document, "gan")["cells"]["FID"]["reason"]
    assert "Device 'abacus'" in (done / "tiny.md").read_text()
    assert "Device 'abacus'" in (done.parent / "said").read_text()


def test_what_is_finished_is_skipped(cli, done):
    log = done / "logs" / "ring8-dali-seed0.out"
    before = (log.stat().st_mtime_ns, table(done)["rows"][:2])
    again = cli("reproduce", "tiny", "--rows", "dali,GAN", "--seeds", SEEDS, "--out", done, "--json")
    assert again.returncode == 0, again.stderr
    rows = json.loads(again.stdout)["rows"]
    assert [row["cells"] for row in rows] == [row["cells"] for row in before[1]]
    assert log.stat().st_mtime_ns == before[0]


def test_a_run_stopped_after_its_last_step_is_scored(cli, done, tmp_path):
    out = shutil.copytree(done, tmp_path / "out")
    scores = out / "runs/ring8/dali/seed0/scores.json"
    before = json.loads(scores.read_text())["metrics"]
    scores.unlink()
    again = cli("reproduce", "tiny", "--rows", "dali", "--out", out)
    assert again.returncode == 0, again.stderr
    assert json.loads(scores.read_text())["metrics"] == before


def test_what_left_a_metric_out_is_scored_again_when_asked(cli, done, tmp_path):
    out = shutil.copytree(done, tmp_path / "out")
    scores = [out / f"runs/ring8/{row}/seed0/scores.json" for row in ("dali", "gan")]
    before = json.loads(scores[0].read_text())
    scores[0].write_text(json.dumps({**before, "metrics": {}, "skipped": {"modes": "not today"}}))
    stamp = scores[1].stat().st_mtime_ns
    words = ("reproduce", "tiny", "--rows", "dali,gan", "--out", out)
    assert "DALI on ring8, modes; high quality, %: not today" in cli(*words).stdout
    assert "not today" not in cli(*words, "--rescore").stdout
    assert json.loads(scores[0].read_text())["metrics"] == before["metrics"]
    assert scores[1].stat().st_mtime_ns == stamp


def test_pictures_of_finished_runs_are_put_together(cli, done, tmp_path):
    out = shutil.copytree(done, tmp_path / "out")
    before = (out / "tiny.json").read_bytes()
    again = cli("reproduce", "tiny-pictures", "--rows", "dali,gan", "--out", out)
    assert again.returncode == 0, again.stderr
    assert (out / "tiny.json").read_bytes() == before, "another study of the same runs has files of its own"
    with Image.open(out / "tiny-pictures.png") as picture:
        count = picture.width * picture.height
        blue = [n for n, (r, g, b) in picture.convert("RGB").getcolors(count) if b > r + 60]
        assert sum(blue) > 1000
        assert picture.width > picture.height  # two rows' samples and reconstructions, side by side


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_study_goes_on(cli, tmp_path, number):
    out = tmp_path / "out"
    run = out / "runs/ring8/gan/seed0"
    words = ("reproduce", "tiny", "--budget", "paper", "--rows", "gan", "--out", out)

    def interrupt():
        deadline = time.monotonic() + 60
        while not (run / "metrics.jsonl").exists():
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    stopped = cli(*words)
    watcher.join()
    assert one_line(stopped, 128 + number) == "Stopped; the same command goes on from here.\n"
    assert list(run.glob("checkpoints/step-*"))
    assert not (out / "tiny.json").exists()
    if number == signal.SIGINT:
        return
    again = cli(*words)
    assert again.returncode == 0, again.stderr
    assert "Going on with" in (out / "logs/ring8-gan-seed0.out").read_text()
    assert line(table(out), "gan")["steps"] == [4000]
    assert len((run / "attempts.jsonl").read_text().splitlines()) == 2


BAD = {
    "tinny": "Unknown study 'tinny'. Did you mean 'tiny'?",
    "tiny --rows dali,daly": "has no row 'daly'. Did you mean 'dali'? It has: dali, gan",
    "tiny --budget large": "has no budget 'large'. It has: quick, paper",
    "tiny --rows ,": "is asked for no row",
    "tiny --dataset grid25": "has no data set 'grid25'. It has: ring8",
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
    assert "holds a run of other settings (trainer): choose another --out" in said


def test_a_study_of_which_nothing_finished_ends_with_code_1(cli, tmp_path):
    finished = cli("reproduce", "tiny", "--rows", "senseless", "--out", tmp_path / "out")
    assert "No run of tiny finished" in one_line(finished, 1)
    assert "means nothing" in (tmp_path / "out" / "tiny.md").read_text()


# --- compare ---------------------------------------------------------------------------------------------


def test_compare_puts_seeds_together(cli, done, tmp_path):
    runs = [*sorted(done.glob("runs/ring8/dali/seed*")), done / "runs/ring8/gan/seed0"]
    finished = cli("compare", *runs, "--json", "--out", tmp_path / "out")
    assert finished.returncode == 0, finished.stderr
    document = json.loads(finished.stdout)
    assert [row["label"] for row in document["rows"]] == ["dali", "gan"]
    ours = document["rows"][0]["cells"]["high quality, %"]["final"]
    assert ours == line(table(done), "dali")["cells"]["high quality, %"]["final"]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"compare.json", "compare.md", "compare.png"}


def test_compare_refuses_different_protocols(cli, done, tmp_path):
    a, b = (shutil.copytree(done / "runs/ring8/dali/seed0", tmp_path / name) for name in "ab")
    scores = json.loads((b / "scores.json").read_text())
    scores["metrics"]["modes"]["protocol"]["samples"] = 100
    (b / "scores.json").write_text(json.dumps(scores))
    assert "samples is 2500 there and 100 here" in one_line(cli("compare", a, b))


def test_compare_tells_rows_of_one_recipe_apart(cli, done, tmp_path):
    a, b = (shutil.copytree(done / "runs/ring8/dali/seed0", tmp_path / name) for name in "ab")
    config = yaml.safe_load((b / "config.yaml").read_text())
    config["trainer"]["lr"] = 0.5
    (b / "config.yaml").write_text(yaml.safe_dump(config))
    rows = json.loads(cli("compare", a, b, "--json").stdout)["rows"]
    assert [row["label"].endswith(f"/{name})") for row, name in zip(rows, "ab", strict=True)] == [True] * 2


@pytest.mark.parametrize("fault", ["no run", "no scores", "damaged"])
def test_compare_says_which_run_is_wrong(cli, done, tmp_path, fault):
    run = shutil.copytree(done / "runs/ring8/dali/seed0", tmp_path / "run")
    if fault == "damaged":
        (run / "scores.json").write_text("{}")
    else:
        (run / {"no run": "config.yaml", "no scores": "scores.json"}[fault]).unlink()
    said = one_line(cli("compare", run))
    assert {"no run": "is not a run", "no scores": "has no scores.json", "damaged": "is damaged"}[
        fault
    ] in said
