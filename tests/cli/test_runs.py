"""`dalikit runs`: every run is listed with its state, damaged ones too, and nothing is changed by it."""

import json
import re
import shutil

import pytest
import yaml

from dalikit.runs import RunDirectory


@pytest.fixture(scope="module")
def several(trained, tmp_path_factory):
    """A folder with a run that is finished, one that was stopped, one as it begins, and two damaged ones."""
    folder = tmp_path_factory.mktemp("several")
    names = ("20260101-120000-dali-digits", "stopped", "study/fresh", "no-facts", "no-config")
    _, stopped, fresh, no_facts, no_config = (shutil.copytree(trained, folder / name) for name in names)
    (stopped / "scores.json").unlink()
    shutil.rmtree(stopped / "checkpoints" / "step-000030")
    (fresh / "scores.json").unlink()
    shutil.rmtree(fresh / "checkpoints")
    (no_facts / "run.json").write_text("{")
    (no_config / "config.yaml").unlink()
    (folder / "notes").mkdir()
    (folder / "notes" / "config.yaml").write_text("no: run\n")
    return folder


def listed(cli, folder):
    done = cli("runs", folder, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return {each["run"].rpartition(f"{folder}/")[2]: each for each in json.loads(done.stdout)}


def test_every_run_is_listed_with_its_state_and_step(cli, several, trained):
    found = listed(cli, several)
    assert {name: (each["state"], each["step"], each["steps"]) for name, each in found.items()} == {
        "20260101-120000-dali-digits": ("finished", 30, 30),
        "stopped": ("stopped", 20, 30),
        "study/fresh": ("stopped", 0, 30),
        "no-facts": ("damaged", None, None),
        "no-config": ("damaged", None, None),
    }
    scores = json.loads((trained / "scores.json").read_text())["metrics"]["reconstruction"]
    scores.pop("protocol")
    whole = found["20260101-120000-dali-digits"]
    assert whole["scores"] == {"reconstruction": scores}
    assert (whole["method"], whole["data"], whole["fault"]) == ("dali", "digits", None)
    assert 0 <= whole["age"] < 24 * 3600
    assert found["stopped"]["scores"] == {}
    assert "run.json: it is not JSON" in found["no-facts"]["fault"]
    assert "has no config.yaml" in found["no-config"]["fault"]


def test_a_run_in_training_is_at_the_step_that_was_logged_last(cli, several):
    run = RunDirectory(several / "stopped")
    logged = run.log_lines()[-1]["step"]
    with run.locked():
        found = listed(cli, several)["stopped"]
    assert (found["state"], found["step"], found["steps"]) == ("in training", logged, 30)


@pytest.mark.parametrize("room", [80, 140])
def test_the_table_fits_and_damage_is_told_below(cli, several, monkeypatch, room):
    monkeypatch.setenv("COLUMNS", str(room))
    done = cli("runs", several)
    assert (done.returncode, done.stderr) == (0, "")
    table, _, below = done.stdout.partition(f"{several}/no-")
    lines = table.splitlines()
    assert max(map(len, lines)) <= room
    assert below.count("is damaged: run.json: it is not JSON") == 1
    assert below.count("has no config.yaml") == 1
    (row,) = [line for line in lines if "stopped" in line and "fresh" not in line]
    assert re.match(r" stopped +dali +digits +stopped +20 of 30 +\d+ (s|min|h) +$", row)
    assert re.search(r"dali +digits +finished +30 +\d+ \w+ +mse_01 0\.\d+", table)
    assert "notes" not in table


def test_looking_changes_nothing(cli, several):
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in several.rglob("*")}
    cli("runs", several)
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in several.rglob("*")} == before


def test_no_runs(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("runs").stdout == "No runs in runs: `dalikit train` makes them\n"
    assert json.loads(cli("runs", "--json").stdout) == []
    done = cli("runs", "nowhere")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "nowhere is no folder" in done.stderr


def test_settings_that_cannot_be_read_hide_no_other_run(cli, trained, tmp_path):
    odd, whole = (shutil.copytree(trained, tmp_path / name) for name in ("odd", "whole"))
    settings = yaml.safe_load((odd / "config.yaml").read_text())
    (odd / "config.yaml").write_text(yaml.safe_dump({**settings, "trainer": 3}))
    found = listed(cli, tmp_path)
    assert (found["odd"]["state"], found[whole.name]["state"]) == ("damaged", "finished")
