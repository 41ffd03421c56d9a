"""Runs below a folder: which are found, which is the newest, and that looking changes nothing."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalikit.errors import UserError
from dalikit.whereabouts import is_run, latest, runs_below, told_inside

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def make(folder, minutes=0, but=()):
    """A folder that looks like a run's, begun so many minutes after noon."""
    folder.mkdir(parents=True)
    texts = {"config.yaml": "seed: 0\n", "metrics.jsonl": ""}
    texts["run.json"] = json.dumps({"started": (NOON + timedelta(minutes=minutes)).isoformat()})
    for name in set(texts) - set(but):
        (folder / name).write_text(texts[name])
    return folder


def test_runs_are_found_at_any_depth_the_newest_first(tmp_path):
    old, new = make(tmp_path / "old", 1), make(tmp_path / "table1" / "runs" / "mnist" / "dali" / "seed0", 3)
    middle = make(tmp_path / "b" / "middle", 2)
    make(new / "checkpoints" / "inner", 9)  # what lies in a run is the run's
    make(tmp_path / ".hidden" / "run", 9)
    (tmp_path / "linked").symlink_to(old)
    (tmp_path / "around").symlink_to(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.yaml").write_text("somebody else's")
    assert runs_below(tmp_path) == [new, middle, old]
    assert runs_below(tmp_path, 2) == [middle, old]
    assert runs_below(old) == [old]
    assert latest(tmp_path) == new


@given(st.lists(st.integers(-600, 600), min_size=1, max_size=6))
def test_the_newest_was_begun_last_whatever_was_written_since(tmp_path_factory, minutes):
    folder = tmp_path_factory.mktemp("runs")
    runs = {make(folder / str(i), minute): minute for i, minute in enumerate(minutes)}
    for i, run in enumerate(runs):
        os.utime(run / "metrics.jsonl", (i, i))
    assert runs[latest(folder)] == max(minutes)
    assert [runs[run] for run in runs_below(folder)] == sorted(minutes, reverse=True)


@pytest.mark.parametrize("missing", ["config.yaml", "metrics.jsonl", "run.json"])
def test_a_run_that_lost_a_file_is_still_one(tmp_path, missing):
    run = make(tmp_path / "run", but=[missing])
    assert is_run(run)
    assert runs_below(tmp_path) == [run]
    rest = make(
        tmp_path / "rest", but=[missing, "metrics.jsonl" if missing != "metrics.jsonl" else "run.json"]
    )
    assert not is_run(rest)


@pytest.mark.parametrize("said", ["", "[]", "{}", '{"started": 3}', '{"started": "soon"}', '"x"'])
def test_one_that_does_not_say_when_it_was_begun_has_the_time_of_its_files(tmp_path, said):
    make(tmp_path / "known", 0)
    vague = make(tmp_path / "vague", 0)
    (vague / "run.json").write_text(said)
    assert latest(tmp_path) == vague  # whose files are of today


def test_no_run(tmp_path):
    with pytest.raises(UserError, match=r"no run under .* 'latest' could be: `dalikit train` makes one"):
        latest(tmp_path / "nowhere")
    assert told_inside(tmp_path) == told_inside(tmp_path / "nowhere") == ""
    assert told_inside(make(tmp_path / "damaged", but=["config.yaml"])) == ""
    for i in range(7):
        make(tmp_path / f"r{i}", i)
    assert told_inside(tmp_path).startswith(f"runs lie in it: {tmp_path / 'r6'}, ")
    assert told_inside(tmp_path).endswith(f"{tmp_path / 'r2'} and 3 more")
