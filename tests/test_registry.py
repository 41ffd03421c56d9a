"""The fault table: each fault of a plugin, and that everything else goes on working."""

import json
import os
import re
import sys
import warnings

import fakes
import pytest

from dalikit.assembly.registry import PluginWarning, Registry
from dalikit.errors import PluginError, UserError

BROKEN = {
    "fails to import": ("raise ImportError('no module named lib')", "ImportError: no module named lib"),
    "ends the process": ("raise SystemExit(3)", "SystemExit: 3"),
    "raises in its hook": (
        fakes.GAME.format(name="g").replace("return [Game]", "raise ValueError('oh dear')"),
        "ValueError: oh dear",
    ),
    "states no API": (fakes.GAME.format(name="g").replace("DALIKIT_API = 2", ""), "DALIKIT_API = 2"),
    "was written for another API": (
        fakes.GAME.format(name="g").replace("DALIKIT_API = 2", "DALIKIT_API = 0"),
        "written for API 0, this is 2",
    ),
    "was written for API 1": (
        fakes.GAME.format(name="g").replace("DALIKIT_API = 2", "DALIKIT_API = 1"),
        "written for API 1, this is 2; docs/migrating.md says what to change",
    ),
    "calls a parameter 'name'": (
        fakes.GAME.format(name="g").replace("weight: float = 1.0", "name: str = 'x'"),
        "fake_broken.Game: a parameter called 'name' would hide",
    ),
    "has a parameter neither before / nor after *": (
        fakes.GAME.format(name="g").replace("self, *, weight: float = 1.0", "self, weight: float = 1.0"),
        "fake_broken.Game: argument 'weight' must stand before '/', where dalikit supplies it, or after '*'",
    ),
    "misspells the hook": (
        fakes.GAME.format(name="g").replace("def dalikit_components", "def dalikit_component"),
        "unknown hook 'dalikit_component'; the one that there is is called 'dalikit_components'",
    ),
    "misspells the hook and does not decorate it": (
        fakes.GAME.format(name="g").replace("@hookimpl\ndef dalikit_components", "def dalikit_components_of"),
        "it has no 'dalikit_components'. Did you mean 'dalikit_components_of'?",
    ),
    "does not decorate the hook": (fakes.GAME.format(name="g").replace("@hookimpl", ""), "no component"),
    "offers nothing": (fakes.GAME.format(name="g").replace("[Game]", "[]"), "no component"),
    "offers something else": (fakes.GAME.format(name="g").replace("[Game]", "[int]"), "no subclass"),
    "leaves a method out": (
        fakes.GAME.format(name="g").replace("def generator_loss", "def other"),
        "does not define generator_loss",
    ),
    "gives no name": (fakes.GAME.format(name=""), "has no name"),
    "gives a parameter no default": (
        fakes.GAME.format(name="g").replace("weight: float = 1.0", "weight: float"),
        "parameter 'weight' needs a type and a default",
    ),
}


OF_ONE_COMPONENT = {
    "calls a parameter 'name'",
    "has a parameter neither before / nor after *",
    "leaves a method out",
    "gives a parameter no default",
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_plugin_is_warned_about_once_and_kept_as_a_row(fault, tmp_path, monkeypatch):
    source, says = BROKEN[fault]
    fakes.install(tmp_path, monkeypatch, "fake-broken", source, version="2.3")
    fakes.install(tmp_path, monkeypatch, "fake-healthy", fakes.GAME.format(name="healthy"))
    with pytest.warns(PluginWarning) as caught:
        registry = Registry.discover()
    (warning,) = [w for w in caught if w.category is PluginWarning]
    assert "fake-broken 2.3" in str(warning.message)
    assert says in str(warning.message)
    (row,) = [row for row in registry.rows if row.distribution == "fake-broken"]
    whole = ("plugin", "plugin") if fault not in OF_ONE_COMPONENT else ("game", "g")
    assert (row.kind, row.name, row.state, row.version) == (*whole, "broken", "2.3")
    assert registry.get("game", "healthy").name == "healthy"
    assert registry.get("game", "gan").name == "gan"
    with pytest.raises(UserError, match=r"fake-broken 2\.3"):
        registry.get("game", "g")


@pytest.mark.parametrize("fault", BROKEN)
def test_strict_raises_at_it(fault, tmp_path, monkeypatch):
    source, says = BROKEN[fault]
    fakes.install(tmp_path, monkeypatch, "fake-broken", source)
    with pytest.raises(PluginError) as raised:
        Registry.discover(strict=True)
    assert says in str(raised.value)
    assert "fake-broken 1.0" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_broken_built_in_raises(monkeypatch):
    import dalikit.components

    monkeypatch.setattr(dalikit.components, "DALIKIT_API", 0)
    with pytest.raises(PluginError, match=r"dalikit .*written for API 0"):
        Registry.discover()


def test_one_name_of_two_plugins_raises_when_it_is_looked_up(tmp_path, monkeypatch):
    fakes.install(tmp_path, monkeypatch, "fake-one", fakes.GAME.format(name="twice"), version="1.1")
    fakes.install(tmp_path, monkeypatch, "fake-two", fakes.GAME.format(name="twice"), version="2.2")
    registry = Registry.discover()
    with pytest.raises(
        PluginError, match=r"fake-one 1\.1 and by fake-two 2\.2: say fake-one:twice or fake-two:twice, or"
    ):
        registry.get("game", "twice")
    assert [row.state for row in registry.rows if row.name == "twice"] == ["clash", "clash"]
    assert "twice" not in registry.names("game")
    assert registry.get("game", "hinge").name == "hinge"


def test_what_is_wrong_with_one_component_is_not_the_others_fault(tmp_path, monkeypatch):
    source = (
        fakes.GAME.format(name="sound")
        + """
class Wrong(Game):
    name = "wrong"
    def __init__(self, *, weight):
        self.weight = weight

@hookimpl
def dalikit_components():
    return [Wrong, Game, int]
"""
    )
    fakes.install(tmp_path, monkeypatch, "fake-half", source)
    with pytest.warns(PluginWarning, match=r"'wrong' of fake-half 1\.0: .*needs a type and a default"):
        registry = Registry.discover()
    own = [row for row in registry.rows if row.distribution == "fake-half"]
    assert [(row.kind, row.name, row.state) for row in own] == [
        ("game", "wrong", "broken"),
        ("game", "sound", "ok"),
        ("plugin", "plugin", "broken"),
    ]
    assert registry.get("game", "sound").name == "sound"
    with pytest.raises(UserError, match=r"Unknown game 'wrong'.*game 'wrong' of fake-half 1\.0: "):
        registry.get("game", "wrong")


def test_a_built_in_keeps_its_name(tmp_path, monkeypatch):
    fakes.install(tmp_path, monkeypatch, "fake-thief", fakes.GAME.format(name="gan"))
    with pytest.warns(PluginWarning, match=r"fake-thief 1\.0.*built-in"):
        registry = Registry.discover()
    assert registry.get("game", "gan").__module__.startswith("dalikit.")
    assert registry.row("game", "gan").distribution == "dalikit"
    assert [row.state for row in registry.rows if row.distribution == "fake-thief"] == ["refused"]


def test_what_a_plugin_prints_stays_out_of_the_results(tmp_path, monkeypatch, cli):
    fakes.install(tmp_path, monkeypatch, "fake-loud", "print('hello')\n" + fakes.GAME.format(name="loud"))
    shown = cli("plugins", "--json")
    assert "loud" in {row["name"] for row in json.loads(shown.stdout)}
    assert "hello" in shown.stderr


def test_one_entry_point_name_of_two_plugins_loses_neither(tmp_path, monkeypatch):
    for name in ("one", "two"):
        fakes.install(tmp_path, monkeypatch, f"fake-{name}", fakes.GAME.format(name=name), point="same")
    registry = Registry.discover()
    assert {"one", "two"} <= set(registry.names("game"))


def test_an_unknown_name_lists_the_known_ones_and_the_nearest():
    with pytest.raises(
        UserError, match=r"Unknown game 'hing'\. Did you mean 'hinge'\? Known: fkl, gan, hinge"
    ):
        Registry.discover().get("game", "hing")


def test_healthy_plugins_warn_about_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry = Registry.discover(strict=True)
    assert {row.state for row in registry.rows} == {"ok"}


def test_the_plugins_command_shows_the_broken_one(tmp_path, monkeypatch, cli):
    fakes.install(tmp_path, monkeypatch, "fake-broken", "raise ImportError('gone')")
    shown = cli("plugins", "--json")
    assert shown.returncode == 0
    (row,) = [row for row in json.loads(shown.stdout) if row["distribution"] == "fake-broken"]
    assert (row["state"], row["detail"]) == ("broken", "ImportError: gone")
    strict = cli("plugins", "--json", "--strict")
    assert strict.returncode == 2
    assert strict.stderr.count("\n") == 1
    assert "fake-broken" in strict.stderr


def test_a_healthy_list_is_short_and_what_is_broken_stands_out(tmp_path, monkeypatch, cli):
    monkeypatch.setenv("COLUMNS", "80")
    healthy = cli("plugins").stdout
    assert "broken: " not in healthy
    assert len(healthy.splitlines()) <= 30
    assert max(map(len, healthy.splitlines())) <= 80
    assert re.search(r"^game +fkl, gan, hinge, .*wgan", healthy, re.MULTILINE)
    fakes.install(tmp_path, monkeypatch, "fake-broken", "raise ImportError('gone')")
    shown = cli("plugins").stdout
    assert "broken: plugin 'plugin' of fake-broken 1.0: ImportError: gone\n" in shown
    assert "1 cannot be used" in shown
    assert "fake-broken" in cli("plugins", "--kind", "game").stdout, "it may have been a game"


def test_the_components_of_a_kind_have_a_line_each(cli):
    said = {line.split()[0]: line for line in cli("plugins", "--kind", "game").stdout.splitlines()}
    assert set(said) == set(Registry.discover().names("game"))
    assert "D is paid for margins up to 1 and no further" in said["hinge"]
    assert "(dalikit-relativistic " in said["relativistic"]
    assert "DALI on MNIST" in cli("plugins", "--kind", "recipe").stdout
    document = json.loads(cli("plugins", "--kind", "posterior", "--json").stdout)
    assert {row["kind"] for row in document} == {"posterior"}
    assert all(row["description"] for row in document)
    unknown = cli("plugins", "--kind", "gam")
    assert unknown.returncode == 2
    assert "--kind gam: there is none. Did you mean 'game'? Kinds: augmentation, " in unknown.stderr


@pytest.mark.parametrize("metadata", [None, b"Name: fake-odd\xff\nVersion: 1.0\xff\n"])
def test_a_distribution_without_metadata_offers_what_it_has(metadata, tmp_path, monkeypatch):
    fakes.install(tmp_path, monkeypatch, "fake-odd", fakes.GAME.format(name="odd"))
    path = tmp_path / "fake-odd" / "fake_odd-1.0.dist-info" / "METADATA"
    path.unlink() if metadata is None else path.write_bytes(metadata)
    row = Registry.discover().row("game", "odd")
    assert (row.distribution, row.version) == ("unknown", "?")


@pytest.mark.parametrize("value", ["", ":", "os:", "9", "a b", "..", "fake_odd:x.y", "fake_odd:__name__"])
def test_entry_points_that_lead_nowhere(value, tmp_path, monkeypatch):
    fakes.install(tmp_path, monkeypatch, "fake-odd", fakes.GAME.format(name="odd"))
    points = tmp_path / "fake-odd" / "fake_odd-1.0.dist-info" / "entry_points.txt"
    points.write_text(f"[dalikit]\nplugin = {value}\n")
    with pytest.warns(PluginWarning, match="fake-odd 1.0: "):
        assert Registry.discover().names("game").count("gan") == 1


@pytest.mark.parametrize("name", ["x" * 9000, r"\x1b[31mred", r"two\nlines"])
def test_a_name_that_cannot_be_printed_in_a_line_is_refused_in_one_that_can(name, tmp_path, monkeypatch):
    fakes.install(tmp_path, monkeypatch, "fake-odd", fakes.GAME.format(name=name))
    with pytest.warns(PluginWarning, match="none to print") as caught:
        Registry.discover()
    for warning in caught:
        assert str(warning.message).isprintable()
        assert len(str(warning.message)) < 1000


UNREADABLE = {"no text": b"[dalikit]\nplugin = \xff\xfe\n", "no lines of settings": b"[dalikit]\n= \n[[\n"}


@pytest.mark.parametrize("what", UNREADABLE)
def test_entry_points_that_cannot_be_read_are_named(what, tmp_path, monkeypatch, command):
    """In a process of its own, for torch reads all of them when it is imported, and fails."""
    fakes.install(tmp_path, monkeypatch, "fake-odd", fakes.GAME.format(name="odd"))
    home = tmp_path / "fake-odd"
    (home / "fake_odd-1.0.dist-info" / "entry_points.txt").write_bytes(UNREADABLE[what])
    shown = command("plugins", env={"PYTHONPATH": os.pathsep.join((str(home), *sys.path))})
    assert shown.returncode == 2, shown.stderr
    assert shown.stderr.startswith(
        f"Error: Distribution 'fake-odd' in {home} has entry points that cannot be"
    )
    assert shown.stderr.count("\n") == 1
