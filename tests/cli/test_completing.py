"""Completion: what shells are told, from the source alone, is what the registry knows."""

import os
import subprocess
import sys

import fakes
import pytest

from dalikit.assembly.registry import Registry
from dalikit.cli.completing import run_folders
from dalikit.cli.naming import BASES, OBJECTS, names

KINDS = [*BASES.values(), *OBJECTS.values()]


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_the_registrys(kind):
    """A built-in's name that a program makes would not be found: write it down as a literal."""
    assert names(kind) == Registry.discover().names(kind)


OFFERS = """
import torch.nowhere
from dalikit import interfaces
from dalikit.interfaces import AdversarialGame, Recipe

class Base(AdversarialGame): ...
class Own(Base):
    name = "own"
class Odd(interfaces.Posterior):
    name = "odd"
class Made(AdversarialGame):
    name = "-".join("ab")
class Helper:
    name = "helper"
kept = "kept"
def make(name) -> Recipe: ...
everything = [make("made"), Recipe(kept, "", "", {})]
"""


def test_a_plugin_is_read_and_not_imported(tmp_path, monkeypatch):
    fakes.install(tmp_path, monkeypatch, "fake-read", OFFERS)
    before = {kind: set(names(kind)) for kind in ("game", "posterior", "recipe")}
    assert "own" in before["game"]
    assert "odd" in before["posterior"]
    assert {"made", "kept"} <= before["recipe"]
    assert not {"helper", "a-b"} & set.union(*before.values())
    assert "fake_read" not in sys.modules


@pytest.mark.parametrize("source", ["def (", "\0", "\udc80", ""])
def test_one_that_cannot_be_read_hides_no_other(tmp_path, monkeypatch, source):
    fakes.install(tmp_path, monkeypatch, "fake-torn", "")
    (tmp_path / "fake-torn" / "fake_torn.py").write_bytes(source.encode("utf-8", "surrogateescape"))
    assert "hinge" in names("game")


def completed(*words):
    """What bash is told for a line of words, the last of which is begun; torch cannot be imported."""
    code = "import sys; sys.modules['torch'] = None; sys.argv = ['dalikit']\n"
    code += "from dalikit.__main__ import main; main()"
    line = {"COMP_WORDS": " ".join(("dalikit", *words)), "COMP_CWORD": str(len(words))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **line, "_DALIKIT_COMPLETE": "complete_bash"},
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_a_shell_is_answered_without_torch():
    assert completed("train", "--game", "hi") == ["hinge"]


def test_runs_are_completed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_folders("") == []
    for run in ("runs/one", "runs/study/two", "other/three"):
        (tmp_path / run).mkdir(parents=True)
        for name in ("config.yaml", "run.json"):
            (tmp_path / run / name).write_text("{}")
    assert run_folders("l") == ["latest"]
    assert set(run_folders("runs/")) == {"runs/one", "runs/study/two", "runs/study"}
    assert run_folders("other/") == ["other/three"]
    assert set(run_folders("")) == {"latest", "runs/one", "runs/study/two", "runs", "other"}
    assert run_folders("nowhere/") == []
