"""The documentation keeps up with the code: commands, options, components, examples and links."""

import json
import re
import tomllib
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import fakes
import pytest
import torch
from players import small
from typer.main import get_command

import dalikit
from dalikit import testing
from dalikit.assembly import resolve
from dalikit.assembly.parameters import check_parameters, summarise
from dalikit.assembly.registry import OWN_DISTRIBUTION, Registry
from dalikit.cli.main import app
from dalikit.hookspecs import API_VERSION
from dalikit.interfaces import Backbone, Dataset, Method, Recipe, Study
from dalikit.players import Cast
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


def test_the_options_of_every_command_are_documented():
    text = section(page("command-line.md"), "Options of every command")
    assert {o for p in get_command(app).params for o in p.opts if f"`{o}`" not in text} == set()


def test_no_option_is_documented_that_is_not_there():
    commands = [
        *COMMANDS.values(),
        *(c for g in COMMANDS.values() for c in getattr(g, "commands", {}).values()),
    ]
    known = {o for c in (*commands, get_command(app)) for p in c.params for o in (*p.opts, *p.secondary_opts)}
    documented = set(re.findall(r"`(--[a-z-]+)`", page("command-line.md"))) - {"--help"}
    assert documented - known == set()


def built_ins():
    return [row for row in Registry.discover().rows if row.distribution == OWN_DISTRIBUTION]


@pytest.mark.parametrize("row", built_ins(), ids=lambda row: f"{row.kind}-{row.name}")
def test_every_component_is_documented_with_its_parameters(row):
    text = page("components.md")
    assert f"`{row.name}`" in text
    if not isinstance(row.component, Backbone | Recipe | Study):
        described = summarise(row.component).replace("|", r"\|")
        if described != "nothing":
            assert described in text, f"{row.kind} {row.name}: {described}"


def blocks(text: str, language: str) -> list[str]:
    """The blocks of a language, and of a title where `language` goes on with one."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def extended(tmp_path, monkeypatch):
    """The page on extending as an installed plugin's module."""
    fakes.install(tmp_path, monkeypatch, "extended", "\n".join(blocks(page("extending.md"), "python")))
    return import_module("extended")


def test_the_page_on_extending_offers_components_of_every_kind(extended):
    offered = [row for row in Registry.discover(strict=True).rows if row.distribution == "extended"]
    assert {row.kind for row in offered} == {row.kind for row in built_ins()} | {"prior"}
    assert len(offered) == 21


def test_the_components_of_the_page_on_extending_meet_the_contract(extended, tmp_path):
    testing.check_game(extended.LeastSquares())
    testing.check_game(extended.Fading())
    testing.check_posterior(extended.Student)
    testing.check_generator(extended.LinearGenerator)
    testing.check_discriminator(extended.LinearDiscriminator)
    testing.check_encoder(extended.LinearEncoder)
    testing.check_dataset(extended.Checkers())
    testing.check_dataset(extended.mine)
    testing.check_optimizer(extended.NAdam())
    testing.check_augmentation(extended.Mirrored)
    testing.check_rules(extended.Slow())
    plan = make_plan(extended.games, Registry.discover(), tmp_path / "out")
    assert [run.config.players["game"].name for run in plan.runs] == ["gan", "hinge"]


def cast(cls: type[Method], module: ModuleType, data: Dataset, **settings) -> Method:
    """A method of the page on extending, with that page's players."""
    made = {
        "generator": lambda given: module.LinearGenerator(given["latent_size"], given["spec"]),
        "discriminator": lambda given: module.LinearDiscriminator(given["spec"]),
        "encoder": lambda given: module.LinearEncoder(given["in_shape"], given["head_sizes"]),
        "posterior": lambda given: module.Student(given["latent_size"]),
        "game": lambda given: module.LeastSquares(),
        "augmentation": lambda given: module.Mirrored(given["spec"]),
        "prior": lambda given: module.Box(given["latent_size"]),
    }
    all_settings = check_parameters(cls, cls.name, settings)
    roles, conditional = cls.roles(**all_settings), all_settings["conditional"]
    casting = Cast(roles, data.spec, 4, lambda kind, **given: made[kind](given), conditional=conditional)
    return cls(**casting.players(), **settings)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("name", ["Eager", "Regressing", "Echo", "Boxed"])
def test_the_methods_of_the_page_on_extending_meet_the_contract(extended, name, conditional):
    cls, data = getattr(extended, name), extended.Checkers()
    testing.check_method(lambda: cast(cls, extended, data, conditional=conditional), data)


def test_the_watchers_of_the_page_on_extending_meet_the_contract(extended):
    data = extended.Checkers()
    method = cast(extended.Eager, extended, data).eval()
    testing.check_metric(lambda part: extended.Brightness(data, part), method)
    metric = extended.Brightness(data, "test", count=20)
    metric.update(torch.zeros(2, 1, 8, 8), torch.full((2, 1, 8, 8), 0.25))
    assert metric.compute().values == {"gap": 0.25}
    testing.check_callback(extended.Least(every=1), lambda: cast(extended.Eager, extended, data), data)


def test_the_diary_of_the_page_on_extending_is_straight_after_a_resume(extended):
    testing.check_component(extended.Diary)


def test_everything_of_the_page_on_extending_trains_together(extended, tmp_path):
    model = dalikit.train(
        method={"name": "boxed", "conditional": True},
        dataset="checkers",
        backbone="linear",
        game="fading-squares",
        augmentation={"name": "mirrored", "share": 1.0},
        prior={"width": 2.0},
        trainer={"steps": 4, "optimizer": {"name": "nadam"}},
        callbacks={"least": {"every": 2}},
        metrics={"brightness": {"count": 20}},
        out=tmp_path / "run",
    )
    assert isinstance(model.method.source, extended.Box)
    assert float(model.method.prior(1000).abs().max()) == pytest.approx(2.0, abs=0.1)
    assert model.sample(3, labels="light corner").shape == (3, 1, 8, 8)
    log = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if line["event"] == "least"] == [2, 4]
    assert "gap" in model.run.scores.metrics["brightness"]


def test_what_a_plugin_is_migrated_to_meets_the_contract(tmp_path, monkeypatch):
    text = page("migrating.md")
    assert len(blocks(text, 'python title="API 1"')) == len(blocks(text, 'python title="API 2"'))
    source = "\n".join(blocks(text, 'python title="API 2"'))
    fakes.install(tmp_path, monkeypatch, "migrated", source)
    module = import_module("migrated")
    found = [row for row in Registry.discover(strict=True).rows if row.distribution == "migrated"]
    assert [row.component for row in found] == [module.Squares]
    testing.check_game(module.Squares())
    testing.check_discriminator(module.Flat)
    testing.check_dataset(module.Noise())
    method = small(module.Plain)
    testing.check_method(lambda: small(module.Plain), module.Noise())
    testing.check_metric(lambda part: module.Spread(module.Noise(), part, None), method.eval())
    testing.check_callback(module.Speed(every=1), lambda: small(module.Plain), module.Noise())
    config = resolve.resolve_layers([module.slow.settings], Registry.discover())
    assert config.trainer["optimizer"] == {"name": "adam", "betas": (0.0, 0.99), "eps": 1e-8}
    assert config.trainer["roles"]["encoder"]["optimizer"]["betas"] == (0.9, 0.999)


def test_the_game_in_the_readme_meets_the_contract():
    (source,) = [b for b in blocks((ROOT / "README.md").read_text(), "python") if "LeastSquares" in b]
    namespace: dict = {}
    exec(source, namespace)
    testing.check_game(namespace["LeastSquares"]())
    assert list(namespace["dalikit_components"]()) == [namespace["LeastSquares"]]
    assert namespace["DALIKIT_API"] == API_VERSION


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


@pytest.fixture(scope="module")
def unbuilt():
    """The script that writes into pages what they have from the code."""
    spec = spec_from_file_location("unbuilt", ROOT / "docs" / "unbuilt.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_pages_have_from_the_code_is_as_it_is_there(unbuilt):
    for name in unbuilt.PAGES:
        assert unbuilt.written(page(name)) == page(name), f"python docs/unbuilt.py writes {name} anew"


def test_pages_can_be_read_unbuilt_and_the_site_has_the_whole(unbuilt):
    tutorial = page("tutorial.md")
    for path in ("pyproject.toml", "dalikit_hello.py", "tests/test_hello.py"):
        assert (ROOT / "docs/plugins/dalikit-hello" / path).read_text().strip() in tutorial
    api = page("api.md")
    assert (
        "`check_component(component: Any, /, beside: Mapping[str, Any] | None=None, **settings: Any)" in api
    )
    assert "::: " not in api
    built = unbuilt.on_page_markdown(api)
    assert "::: dalikit.model\n    options:\n      members: [load, Model, RunModel]\n" in built
    assert built.count("::: ") == api.count("<!-- api ")
    assert "check_component" not in built
    assert "`stop() -> None`" in section(page("extending.md"), "A callback")


def test_the_changelog_and_the_citation_know_the_version():
    assert f"## {dalikit.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert f"version: {dalikit.__version__}" in (ROOT / "CITATION.cff").read_text()


def test_the_architecture_page_names_every_room():
    """And no other; in an order in which imports run down, as the layers of `lint-imports` have them."""
    rooms = section(page("architecture.md"), "Rooms, the uppermost first")
    named = re.findall(r"^\| `([a-z_]+(?:/|\.py))` \|", rooms, flags=re.MULTILINE)
    files = {p.name for p in (ROOT / "dalikit").glob("*.py")} - {"__main__.py"}
    folders = {f"{p.parent.name}/" for p in (ROOT / "dalikit").glob("*/__init__.py")}
    assert sorted(named) == sorted(files | folders)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [line.replace("dalikit.", "").split(" | ") for line in contracts[0]["layers"]]
    heights = {room: height for height, layer in enumerate(layers) for room in layer}
    found = [heights[room.rstrip("/").removesuffix(".py")] for room in named if room != "__init__.py"]
    assert found == sorted(found)
