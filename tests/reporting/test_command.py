"""`dalikit report`, and the page at the end of a training: where it goes, and what never fails by it."""

import os
import shutil
import sys

import pytest
from pages import Page

from dalikit.cli import reports
from dalikit.reporting import report as reporting
from dalikit.runs import OWN, RunDirectory


@pytest.fixture
def run(points, tmp_path):
    """A run, to be written into."""
    return shutil.copytree(points, tmp_path / "run")


@pytest.fixture
def quick(monkeypatch):
    """Pages without sections: what they hold is not what is tested here."""
    monkeypatch.setattr(reporting, "SECTIONS", ())


TRAIN = ["train", "--dataset", "ring8", "--steps", 2, "--set", "trainer.batch_size=8", "--report"]


@pytest.mark.usefixtures("quick")
def test_a_page_is_never_written_over_unasked(cli, run):
    done = cli("report", run)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Wrote {run / 'report.html'}\n"
    assert cli("report", run).stdout == f"Wrote {run / 'report-2.html'}\n"
    (run / "report.html").write_text("mine")
    refused = cli("report", run, "--out", run / "report.html")
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert (run / "report.html").read_text() == "mine"
    assert cli("report", run, "--force").returncode == 0
    assert "dali on ring8" in (run / "report.html").read_text()


@pytest.mark.usefixtures("quick")
def test_several_runs_make_a_page_here(cli, run, gan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("report", run, gan).stdout == "Wrote report.html\n"
    assert Page(tmp_path / "report.html").texts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere is no folder of a run"),
        (["."], "it has no config.yaml"),
        (["RUN", "--out", "page.pdf"], "what can be written here is .html"),
        (["RUN", "--out", "page"], "what can be written here is .html"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_line(cli, run, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    done = cli("report", *(run if word == "RUN" else word for word in words))
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_the_extra_it_says_what_to_install(cli, run, monkeypatch):
    monkeypatch.setattr(reports, "find_spec", lambda name: None)
    done = cli("report", run)
    assert done.returncode == 2
    assert 'pip install "dalikit[report]"' in done.stderr


@pytest.mark.usefixtures("quick")
def test_a_training_ends_with_its_page(cli, tmp_path):
    run = tmp_path / "run"
    done = cli(*TRAIN, "--out", run)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"  report     {run / 'report.html'}\n" in done.stdout
    assert "dalikit report" not in done.stdout
    assert "dali on ring8" in Page(run / "report.html").texts[""]
    assert {path.name for path in run.iterdir()} <= OWN
    verified = cli("verify", run)
    assert verified.returncode == 0, verified.stdout


def test_without_the_extra_a_training_ends_by_naming_the_command(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(reports, "find_spec", lambda name: None)
    done = cli(*TRAIN, "--out", tmp_path / "run")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"\n  dalikit report {tmp_path / 'run'}\n" in done.stdout
    assert not (tmp_path / "run" / "report.html").exists()


FAULTS = {
    "write_page": (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    "write_text": (OSError(28, "No space left"), "Cannot write"),
    "import": (None, "ModuleNotFoundError"),
}
"""What fails of a page, by how, and what is said."""


@pytest.mark.parametrize("place", FAULTS)
def test_a_page_that_fails_is_a_warning_and_leaves_nothing(cli, tmp_path, monkeypatch, place):
    run, (error, said) = tmp_path / "run", FAULTS[place]

    def broken(*_, **__):
        raise error

    if place == "import":
        monkeypatch.setitem(sys.modules, "dalikit.reporting.report", None)
    else:
        monkeypatch.setattr(reporting, place, broken)
        monkeypatch.setattr(reporting, "SECTIONS", ())
    done = cli(*TRAIN, "--out", run)
    assert done.returncode == 0
    assert done.stderr.startswith(f"Warning: no report was made: {said}")
    assert done.stderr.count("\n") == 1
    assert f"  dalikit report {run}\n" in done.stdout
    assert {path.name for path in run.iterdir()} <= OWN - {"report.html"}
    assert RunDirectory(run).scored
    assert cli("verify", run).returncode == 0


def test_a_page_is_whole_or_not_there(run, monkeypatch):
    """What was there stays until all of the new page is on the disk."""
    (run / "report.html").write_text("before")

    def full(*_):
        raise OSError(28, "No space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(reporting.RunError, match="No space left"):
        reporting.write("after", run / "report.html")
    assert (run / "report.html").read_text() == "before"
    assert [path.name for path in run.iterdir() if "unfinished" in path.name] == []


def test_what_a_killed_process_left_of_a_page_goes_at_a_resume(cli, run):
    left = run / "report.html.123.unfinished"
    left.write_text("half")
    assert cli("train", "--resume", run, "--steps", 9).returncode == 0
    assert not left.exists()


def test_minutes_leave_time_for_the_page(cli, tmp_path, monkeypatch):
    """What is planned for a page is what resolution takes for spent, and nothing where none is made."""
    from dalikit.assembly import resolve

    seconds = []

    def noted(*_, spent: float, **__):
        seconds.append(spent)
        raise resolve.UnfitError("enough")

    monkeypatch.setattr(resolve, "resolve", noted)
    for words in (["--report"], ["--no-report"]):
        cli("train", *words, "--out", tmp_path / "run")
    assert seconds[0] - seconds[1] == pytest.approx(reports.SECONDS, abs=2)
