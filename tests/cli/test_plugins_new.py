"""`dalikit plugins new`: what it writes installs, is clean, passes its test and trains, with no edit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dalikit.assembly.registry import Registry
from dalikit.errors import PluginError, UserError
from dalikit.scaffolding import known_kinds, new_package
from dalikit.scaffolding.templates import template_of

KINDS = (
    "augmentation",
    "backbone",
    "callback",
    "dataset",
    "game",
    "method",
    "metric",
    "optimizer",
    "posterior",
)


def run(*words: object, **more: object) -> subprocess.CompletedProcess:
    given = [sys.executable, "-m", *map(str, words)]
    return subprocess.run(given, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def packages(cli, tmp_path_factory) -> Path:
    """A folder with a package of each kind, as the command writes them."""
    folder = tmp_path_factory.mktemp("packages")
    for kind in KINDS:
        name = f"dalikit-my-{kind}"
        done = cli("plugins", "new", name, "--kind", kind, "--out", folder / name)
        assert done.returncode == 0, done.stderr
        assert f"Wrote {folder / name}: README.md, dalikit_my_{kind}.py" in done.stdout
    return folder


@pytest.fixture(scope="module")
def site(packages, tmp_path_factory) -> Path:
    """A folder into which all of them are installed."""
    target = tmp_path_factory.mktemp("site")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    done = run("pip", "install", *offline, "--target", target, *sorted(packages.iterdir()))
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def installed(site, monkeypatch) -> Path:
    """All of them on the path for the length of a test."""
    monkeypatch.syspath_prepend(str(site))
    for kind in KINDS:
        monkeypatch.delitem(sys.modules, f"dalikit_my_{kind}", raising=False)
    return site


def test_there_is_a_template_of_every_kind_that_is_promised():
    assert tuple(known_kinds(Registry.discover())) == KINDS


def test_they_are_clean_however_long_their_names(tmp_path):
    """The longest there may be, and the shortest, which the formatter joins lines for."""
    registry = Registry.discover()
    for kind in KINDS:
        for name in (kind.ljust(40, "x"), kind[:2]):
            new_package(name, kind, registry, tmp_path / kind / name)
    assert run("ruff", "check", "--no-cache", tmp_path).stdout == "All checks passed!\n"
    formatted = run("ruff", "format", "--diff", "--no-cache", tmp_path)
    assert formatted.returncode == 0, formatted.stdout


def test_their_own_tests_pass(packages, site):
    """Each has the contract in a line, a training and a resume on the default data among it.

    One is tested without its test file too, as an installed package.
    """
    path = os.pathsep.join((str(site), *sys.path))
    words = ("pytest", "-v", "-p", "no:cacheprovider", "--import-mode=importlib", "-W", "error::UserWarning")
    named = ("--dalikit", "Dalikit_my.Optimizer")
    done = run(*words, packages, *named, env={**os.environ, "PYTHONPATH": path}, cwd=packages)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "optimizer my-optimizer of dalikit-my-optimizer PASSED" in done.stdout


def commands(packages: Path, kind: str) -> list[list[str]]:
    """What the README of a package has its users try, as words behind `dalikit`."""
    text = (packages / f"dalikit-my-{kind}" / "README.md").read_text()
    return [line.split()[1:] for line in text.splitlines() if line.startswith("dalikit ")]


def test_they_train_together_as_their_readmes_say(packages, installed, tmp_path, cli):
    """Nine packages in one run."""
    words = []
    for kind in KINDS:
        command, *given, steps, _ = commands(packages, kind)[0]
        assert (command, steps) == ("train", "--steps")
        words += given
    words += ["--set", "callbacks.my-callback.every=2", "--set", "trainer.batch_size=8", "--steps", 4]
    done = cli("train", *words, "--out", tmp_path / "run")
    assert (done.returncode, done.stderr) == (0, "")
    made = json.loads((tmp_path / "run" / "run.json").read_text())["components"]
    kinds = {each["kind"] for each in made if each["distribution"].startswith("dalikit-my-")}
    assert kinds == {*KINDS, "generator", "discriminator", "encoder"}
    assert (tmp_path / "run" / "my-callback" / "step-000004.png").is_file()
    assert "my-metric" in json.loads((tmp_path / "run" / "scores.json").read_text())["metrics"]
    (evaluate,) = [words for words in commands(packages, "metric") if words[0] == "evaluate"]
    done = cli(*[tmp_path / "run" if word == "runs/NAME" else word for word in evaluate])
    assert (done.returncode, done.stderr) == (0, "")
    assert "my-metric" in done.stdout


def test_its_source_is_shown_once_it_is_filled_in(installed, cli):
    shown = cli("plugins", "info", "my-game").stdout
    assert "label: float > 0 = 1.0\n      a.\n" in shown
    assert 'source    AUTHOR YEAR, "TITLE", equation (N). Fill this in.' in shown
    assert f"file      {installed / 'dalikit_my_game.py'}" in shown


def test_the_wheel_has_the_templates():
    from hatchling.builders.wheel import WheelBuilder

    root = Path(__file__).parents[2]
    there = {included.distribution_path for included in WheelBuilder(str(root)).recurse_included_files()}
    for kind in KINDS:
        for part in ("module.py", "test_module.py", "commands"):
            assert f"dalikit/scaffolding/templates/{kind}/{part}.txt" in there
    assert "dalikit/scaffolding/templates/common/README.md.txt" in there


WRONG = {
    "no name of a package": ("-odd-", "game", "A package cannot be called '-odd-'"),
    "too long": ("x" * 41, "game", "40 at most"),
    "no module's name": ("3d", "game", "the module '3d', which is no name in Python"),
    "a word of Python's": ("dalikit-none", "game", "the class 'None'"),
    "of the standard library": ("json", "game", "There is a module 'json' already.*e.g. dalikit-json$"),
    "of what is installed": ("dalikit-hello", "game", "There is a module 'dalikit_hello' already"),
    "a built-in's": ("dalikit-hinge", "game", r"There is a game 'hinge' already, of dalikit \d"),
    "a built-in network's": ("dalikit-dcgan", "backbone", "There is a backbone 'dcgan' already"),
    "a name that the module has": ("dalikit-offer-game", "game", None),
    "its own base's": ("dalikit-posterior", "posterior", "the class 'Posterior', and the module has that"),
    "no kind": (
        "dalikit-odd",
        "gam",
        "Unknown kind 'gam'. Did you mean 'game'.*augmentation, backbone, call",
    ),
    "a kind without a template": ("dalikit-odd", "recipe", "no template of a recipe.*augmentation, backbone"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_refused_leaves_nothing(what, tmp_path):
    name, kind, says = WRONG[what]
    out = tmp_path / "out"
    if says is None:
        assert new_package(name, kind, Registry.discover(), out).names.cls == "OfferGame"
        return
    with pytest.raises(UserError, match=says):
        new_package(name, kind, Registry.discover(), out)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", ["a file", "a full folder", "an empty folder", "a link"])
def test_nothing_is_written_over(there, tmp_path):
    out = tmp_path / "out"
    if there == "a file":
        out.write_text("mine")
    elif there == "a link":
        out.symlink_to(tmp_path / "nowhere")
    else:
        out.mkdir()
    if there == "a full folder":
        (out / "mine.txt").write_text("mine")
    if there == "an empty folder":
        assert (new_package("odd-one", "game", Registry.discover(), out).folder / "README.md").is_file()
        return
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match="is there already"):
        new_package("odd-one", "game", Registry.discover(), out)
    assert sorted(tmp_path.rglob("*")) == before


KIND = """
from abc import ABC

from dalikit import Component, Kind
from dalikit.hookspecs import offer
from torch import nn

DALIKIT_API = 2

class Prior(Component, nn.Module, ABC):
    kind = Kind("prior", supplied=("latent_size",), default="box", player=True, template="TEMPLATE")

class Box(Prior):
    name = "box"

dalikit_components = offer(Box)
"""


@pytest.fixture
def third(tmp_path, monkeypatch):
    """A package that brings a kind with a template."""
    home = tmp_path / "site"
    info = home / "fake_prior-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-prior\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dalikit]\nprior = fake_prior\n")
    templates = home / "fake_prior" / "templates"
    templates.mkdir(parents=True)
    (templates / "module.py.txt").write_text('"""A prior called $component."""\n\nclass $cls: ...\n')
    (templates / "test_module.py.txt").write_text("from $module import $cls\n")
    (templates / "commands.txt").write_text("dalikit train --set prior.name=$component\n")
    monkeypatch.delitem(sys.modules, "fake_prior", raising=False)
    monkeypatch.syspath_prepend(str(home))

    def with_template(where: str) -> Path:
        (home / "fake_prior" / "__init__.py").write_text(KIND.replace("TEMPLATE", where))
        return templates

    return with_template


def test_a_kind_of_a_third_party_says_its_own_template(third, tmp_path):
    third("fake_prior:templates")
    registry = Registry.discover(strict=True)
    assert "prior" in known_kinds(registry)
    made = new_package("dalikit-wide", "prior", registry, tmp_path / "out")
    assert made.commands == ("dalikit train --set prior.name=wide",)
    assert (made.folder / "dalikit_wide.py").read_text().endswith("class Wide: ...\n")
    assert 'description = "A prior called wide."' in (made.folder / "pyproject.toml").read_text()


def test_a_kind_whose_template_is_not_whole_is_named(third):
    templates = third("fake_prior:templates")
    (templates / "commands.txt").unlink()
    with pytest.raises(
        PluginError, match=r"template of kind 'prior', fake_prior:templates, has no commands\.txt"
    ):
        template_of("prior", Registry.discover())


def test_a_kind_whose_template_is_nowhere_is_named(third):
    third("no_such_package:templates")
    with pytest.raises(PluginError, match="no_such_package"):
        template_of("prior", Registry.discover())
