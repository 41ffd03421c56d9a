"""The documentation keeps up with the code: commands, options, components, examples and links."""

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest
from players import small
from typer.main import get_command

import dalikit
from dalikit import testing
from dalikit.assembly.parameters import summary
from dalikit.assembly.registry import OWN_DISTRIBUTION, Registry
from dalikit.cli.main import app
from dalikit.interfaces import Backbone, Recipe, Study
from dalikit.studies.plan import make_plan

ROOT = Path(__file__).parents[1]
COMMANDS = get_command(app).commands
PAGES = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("docs/methods/*.md"), *ROOT.glob("*.md")])


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    return re.split(r"^## ", text.split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_documented(command):
    text = section(page("command-line.md"), command)
    if command == "config":
        text += section(page("command-line.md"), "train")
    options = {o for p in COMMANDS[command].params for o in p.opts if o.startswith("--")} - {"--help"}
    assert {o for o in options if f"`{o}`" not in text} == set()


def test_no_option_is_documented_that_is_not_there():
    commands = [
        *COMMANDS.values(),
        *(c for g in COMMANDS.values() for c in getattr(g, "commands", {}).values()),
    ]
    known = {o for c in commands for p in c.params for o in p.opts}
    documented = set(re.findall(r"`(--[a-z]+)`", page("command-line.md"))) - {"--debug", "--help"}
    assert documented - known == set()


def built_ins():
    return [row for row in Registry.discover().rows if row.distribution == OWN_DISTRIBUTION]


@pytest.mark.parametrize("row", built_ins(), ids=lambda row: f"{row.kind}-{row.name}")
def test_every_component_is_documented_with_its_parameters(row):
    text = page("components.md")
    assert f"`{row.name}`" in text
    if not isinstance(row.component, Backbone | Recipe | Study):
        described = summary(row.component).replace("|", r"\|")
        if described != "nothing":
            assert described in text, f"{row.kind} {row.name}: {described}"


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_the_page_on_extending_runs_and_its_components_meet_the_contract(tmp_path, monkeypatch):
    (tmp_path / "extended.py").write_text("\n".join(blocks(page("extending.md"), "python")))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "extended", raising=False)
    module = import_module("extended")
    offered = {
        type(c).__name__ if not isinstance(c, type) else c.__name__ for c in module.dalikit_components()
    }
    assert len(offered) == 12
    testing.check_game(module.LeastSquares())
    testing.check_posterior(module.Student)
    testing.check_generator(module.LinearGenerator)
    testing.check_discriminator(module.LinearDiscriminator)
    testing.check_encoder(module.LinearEncoder)
    testing.check_dataset(module.Checkers())
    testing.check_dataset(module.mine)

    def eager():
        data = module.Checkers()
        generator = module.LinearGenerator(4, data.x_shape, data.value_range)
        return module.Eager(generator, module.LinearDiscriminator(data.x_shape), module.LeastSquares())

    testing.check_method(eager, module.Checkers())
    plan = make_plan(module.games, Registry.discover(), tmp_path / "out")
    assert [run.config.game.name for run in plan.runs] == ["gan", "hinge"]
    testing.check_metric(lambda: module.Brightness(module.Checkers()), eager().eval())


def test_the_game_in_the_readme_meets_the_contract():
    (source,) = [b for b in blocks((ROOT / "README.md").read_text(), "python") if "LeastSquares" in b]
    namespace: dict = {}
    exec(source, namespace)
    testing.check_game(namespace["LeastSquares"]())
    assert namespace["dalikit_components"]() == [namespace["LeastSquares"]]


def test_commands_in_the_documentation_exist():
    text = "\n".join(b for path in PAGES for b in blocks(path.read_text(encoding="utf-8"), "(?:sh|console)"))
    for line in re.findall(r"^(?:\$ )?dalikit ([^\n#]*)", text, flags=re.MULTILINE):
        name, *rest = line.split()
        assert name in COMMANDS or name in {"--help", "COMMAND"}, line
        known = {o for p in COMMANDS[name].params for o in p.opts}
        assert {w for w in rest if w.startswith("--")} <= known, line


@pytest.mark.parametrize("name", Registry.discover().names("method"))
def test_every_method_has_a_page_with_its_phases(name):
    if Registry.discover().row("method", name).distribution != OWN_DISTRIBUTION:
        pytest.skip("a plugin's method")
    text = page(f"methods/{name}.md")
    assert "| phase | trains | loss |" in text
    settings = {"cycle": "adversarial"} if name == "alice" else {}  # so that all its phases are there
    phases = [phase.name for phase in small(Registry.discover().get("method", name), **settings).phases()]
    assert re.findall(r"^\| `([a-z_+]+)` \|", text.split("| phase |")[1], flags=re.MULTILINE) == phases


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_every_line_of_a_table_has_as_many_cells(path):
    """A bar within a cell, as of q(z|x), must be escaped, or it starts another cell."""
    for lines in re.findall(r"(?:^\|.*\n)+", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines.splitlines()}) == 1, lines


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_tutorial_includes_the_packages_own_files():
    included = re.findall(r'^--8<-- "(.+)"$', page("tutorial.md"), flags=re.MULTILINE)
    assert {Path(name).name for name in included} == {"pyproject.toml", "dalikit_hello.py", "test_hello.py"}
    assert all((ROOT / name).is_file() for name in included)


def test_the_changelog_and_the_citation_know_the_version():
    assert f"## {dalikit.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert f"version: {dalikit.__version__}" in (ROOT / "CITATION.cff").read_text()


def test_the_architecture_page_names_every_module():
    text = page("architecture.md")
    names = {p.name for p in (ROOT / "dalikit").glob("*.py")} - {"__main__.py"}
    assert {n for n in names if n not in text} == set()
