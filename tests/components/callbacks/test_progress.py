"""What training shows, in a terminal and where there is none."""

import io
import os
import pty
import re
import select
import subprocess
import sys

import pytest
from players import Points, dali
from rich.console import Console

from dalikit.components.callbacks.progress import ProgressBar
from dalikit.errors import RunError
from dalikit.runs import Context, RunDirectory
from dalikit.training import Trainer


def watch(tmp_path, **settings) -> ProgressBar:
    return ProgressBar(Context(RunDirectory(tmp_path), Points(), {}), every=2, **settings)


def test_plain_lines_where_there_is_no_terminal(tmp_path, capsys):
    Trainer(dali(), Points(), [watch(tmp_path, seconds=0.0)], steps=6, batch_size=5).fit()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["2/6", "4/6", "6/6"]
    for line in lines:
        assert re.search(
            r"discriminator/loss \d\.\d{3}  generator\+encoder/loss .* images/s  \d+ s left$", line
        )


def test_lines_are_not_printed_more_often_than_asked(tmp_path, capsys):
    Trainer(dali(), Points(), [watch(tmp_path, seconds=1000.0)], steps=6, batch_size=5).fit()
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["6/6"]


class Terminal(io.StringIO):
    """What keeps all that is written to it, and calls itself a terminal."""

    def isatty(self):
        return True


def lines_of(terminal):
    """What was shown, a line each, without what moves the cursor and colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue()).replace("\r", "\n").split("\n")


@pytest.mark.parametrize("width", [40, 80])
def test_a_live_bar_in_a_terminal_breaks_no_line(tmp_path, width):
    bar, terminal = watch(tmp_path), Terminal()
    bar.console = Console(file=terminal, width=width, force_terminal=True, color_system="truecolor")
    Trainer(dali(), Points(), [bar], steps=6, batch_size=5).fit()
    shown = lines_of(terminal)
    assert max(map(len, shown)) <= width
    assert {line.split()[0] for line in shown if line} == {"step", "discriminator", "generator+encoder"}
    last = [line for line in shown if line][-3:]
    assert last[0].startswith("step 6/6 ")
    assert "images/s" in last[0]
    assert re.match(r"discriminator      loss \d\.\d{3}", last[1])
    if width == 80:
        assert re.match(r"generator\+encoder  loss \d\.\d{3}  nll \d+\.\d{3}", last[2])


def test_no_bar_moves_where_colours_are_asked_for_and_there_is_no_terminal(tmp_path, capsys):
    bar, kept = watch(tmp_path, seconds=0.0), io.StringIO()
    bar.console = Console(file=kept, force_terminal=True)  # as FORCE_COLOR has it
    Trainer(dali(), Points(), [bar], steps=6, batch_size=5).fit()
    assert kept.getvalue() == ""
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_no_colours_in_a_bar_where_nobody_wants_them(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    bar, terminal = watch(tmp_path), Terminal()
    bar.console = Console(file=terminal, width=80, force_terminal=True, color_system="truecolor")
    Trainer(dali(), Points(), [bar], steps=2, batch_size=5).fit()
    codes = {
        code for found in re.findall(r"\x1b\[([0-9;]*)m", terminal.getvalue()) for code in found.split(";")
    }
    assert codes <= {"", "0", "1", "2", "3", "4"}, "bold and dim, and no colour"


def test_the_bar_is_closed_when_training_fails(tmp_path):
    bar = watch(tmp_path)
    bar.console = Console(force_terminal=True, width=150)

    class Broken(Points):
        def scale(self, raw):
            raise RuntimeError("no data")

    trainer = Trainer(dali(), Broken(), [bar], steps=6, batch_size=5)
    with pytest.raises(RunError, match="dataset 'points' failed in step 1: RuntimeError: no data"):
        trainer.fit()
    assert bar._live is None


def test_the_command_in_a_real_terminal(tmp_path, train_options):
    ours, theirs = pty.openpty()
    words = [
        sys.executable,
        "-m",
        "dalikit",
        "train",
        *train_options,
        "--no-report",
        "--steps",
        "60",
        "--out",
        str(tmp_path / "r"),
    ]
    process = subprocess.Popen(words, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # the other end has closed
            break
    assert process.wait(60) == 0
    text = shown.decode(errors="replace")
    assert "\x1b[" in text
    assert "60/60" in text
    assert "Everything lies in" in text
