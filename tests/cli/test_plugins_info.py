"""`dalikit plugins info`: a component as its author describes it, and a package by what it offers."""

import json

import fakes
import pytest
from rich.cells import cell_len

from dalikit.assembly.registry import OWN_DISTRIBUTION, Registry
from dalikit.inspection.described import described

DOCUMENTED = '''
"""Squares.

Source: Nobody 2026, "A Title
over Two Lines", equation (3).
"""
from typing import Annotated

from pydantic import Field
from dalikit.hookspecs import offer
from dalikit.components.games.gan import GAN

DALIKIT_API = 2

class Squares(GAN):
    """Something squared.

    Args:
        weight: of the square, which
            goes on here.
        low, high: its ends.
    """

    name = "NAME"

    def __init__(
        self, *, weight: Annotated[float, Field(ge=0, lt=3)] = 1.0, low: int = 0, high: int | None = None
    ) -> None:
        super().__init__()

dalikit_components = offer(Squares)
'''


def shown(cli, *words):
    done = cli("plugins", "info", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_components_parameters_paper_package_and_file(tmp_path, monkeypatch, cli):
    fakes.install(tmp_path, monkeypatch, "fake-squares", DOCUMENTED.replace("NAME", "squares"), version="1.2")
    (found,) = json.loads(shown(cli, "squares", "--json"))
    assert found["summary"] == "Something squared."
    assert found["source"] == 'Nobody 2026, "A Title over Two Lines", equation (3).'
    assert found["parameters"] == [
        {
            "name": "weight",
            "type": "float ≥ 0, < 3",
            "default": "1.0",
            "doc": "of the square, which goes on here.",
        },
        {"name": "low", "type": "int", "default": "0", "doc": "its ends."},
        {"name": "high", "type": "int | None", "default": "None", "doc": "its ends."},
    ]
    assert (found["distribution"], found["version"], found["plugin"]) == ("fake-squares", "1.2", "plugin")
    assert found["file"] == str(tmp_path / "fake-squares" / "fake_squares.py")
    text = shown(cli, "squares")
    for part in ("game squares", "weight: float ≥ 0, < 3 = 1.0", "fake-squares 1.2, entry point 'plugin'"):
        assert part in text


@pytest.mark.parametrize("columns", [60, 80])
def test_it_fits_the_terminal(columns, cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = shown(cli, "dali", "--kind", "method").splitlines()
    assert [line for line in lines if cell_len(line) > columns and not line.startswith("  file")] == []


def test_a_name_of_several_kinds_is_shown_of_all_or_of_one(cli):
    kinds = [each["kind"] for each in json.loads(shown(cli, "mlp", "--json"))]
    assert sorted(kinds) == ["backbone", "discriminator", "encoder", "generator"]
    (backbone,) = json.loads(shown(cli, "mlp", "--kind", "backbone", "--json"))
    assert backbone["content"] == {"generator": "mlp", "discriminator": "mlp", "encoder": "mlp"}
    assert backbone["file"].endswith("components/networks/mlp.py")


def test_one_of_two_packages_by_its_full_name(tmp_path, monkeypatch, cli):
    for name in ("one", "two"):
        fakes.install(tmp_path, monkeypatch, f"fake-{name}", DOCUMENTED.replace("NAME", "twice"))
    (found,) = json.loads(shown(cli, "fake-two:twice", "--json"))
    assert (found["distribution"], found["state"]) == ("fake-two", "clash")
    assert found["parameters"]
    assert len(json.loads(shown(cli, "twice", "--json"))) == 2


def test_a_package_by_what_it_offers_and_what_of_it_is_broken(tmp_path, monkeypatch, cli):
    source = fakes.GAME.format(name="g").replace("weight: float = 1.0", "weight: float")
    fakes.install(tmp_path, monkeypatch, "fake-broken", source)
    text = shown(cli, "fake_broken")
    assert text.startswith("fake-broken 1.0\n  entry point 'plugin' (")
    assert "  game g  broken: fake_broken.Game: parameter 'weight' needs a type and a default" in text
    assert "state     broken: fake_broken.Game: parameter 'weight'" in shown(cli, "g")


def test_what_is_not_there(cli):
    done = cli("plugins", "info", "hing")
    assert done.returncode == 2
    assert "Unknown component or package 'hing'. Did you mean 'hinge'?" in done.stderr
    assert cli("plugins", "info", "hinge", "--kind", "method").returncode == 2


def test_every_built_in_says_what_it_is_and_where_it_lies():
    for row in Registry.discover().rows:
        if row.distribution == OWN_DISTRIBUTION:
            found = described(row)
            assert found.summary, row
            assert found.file.endswith(".py"), row
            assert not found.file.endswith("components/__init__.py"), row
            told = [each for each in found.parameters if each.doc or f"`{each.name}`" in found.summary]
            assert found.parameters == tuple(told), row
            json.dumps(found.document())
