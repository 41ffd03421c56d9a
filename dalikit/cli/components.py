"""`dalikit plugins`, `recipes` and `config`: what there is, and what a run would be."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dalikit.cli import plugins as authoring
from dalikit.cli import settings

if TYPE_CHECKING:
    from dalikit.assembly.resolve import Resolved

WIDE = 30
"""Letters of a value up to which those of all settings are told in one column."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(invoke_without_command=True)
    group.callback()(plugins)
    authoring.register(group)
    app.add_typer(group, name="plugins")
    app.command()(recipes)
    app.command("config")(print_config)


def plugins(
    context: typer.Context,
    json_: Json = False,
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Of one kind, e.g. game, and what each is.")
    ] = None,
) -> None:
    """List every component, where it comes from, and whether it can be used; `info` and `new` do more."""
    if context.invoked_subcommand is not None:
        return
    import warnings

    from dalikit.assembly.registry import PluginWarning, Registry
    from dalikit.cli.listing import of_kind, print_rows, summary

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # each has a row of its own below
        rows = sorted(Registry.discover().rows, key=lambda row: (row.kind, row.name))
    rows = of_kind(rows, kind)
    fields = ("kind", "name", "distribution", "version", "state", "detail")
    if json_:
        document = [{f: getattr(r, f) for f in fields} | {"description": summary(r.component)} for r in rows]
        print(json.dumps(document, indent=2))
    else:
        print_rows(rows, kind)


def recipes(json_: Json = False) -> None:
    """List the recipes: what each trains, and the paper's row it stands for."""
    from dalikit.assembly.registry import Registry

    fields = ("name", "description", "stands_for")
    found = Registry.discover().all("recipe")
    if json_:
        document = [{f: getattr(r, f) for f in fields} | {"settings": dict(r.settings)} for r in found]
        print(json.dumps(document, indent=2))
    else:
        _print_table([{field: getattr(recipe, field) for field in fields} for recipe in found], fields)


def print_config(
    method: settings.Method = None,
    game: settings.Game = None,
    posterior: settings.Posterior = None,
    backbone: settings.Backbone = None,
    dataset: settings.Dataset = None,
    data: settings.Data = None,
    augmentation: settings.Augmentation = None,
    recipe: settings.Recipe = None,
    config: settings.ConfigFile = None,
    assignments: settings.Assignments = None,
    seed: settings.Seed = None,
    steps: settings.Steps = None,
    minutes: settings.Minutes = None,
    device: settings.Device = None,
    from_run: settings.FromRun = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say of each setting where it came from, and why.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of a configuration.")
    ] = False,
    data_root: settings.DataRoot = None,
) -> None:
    """Print the complete configuration that the same options would train, as YAML."""
    from dalikit.assembly import resolve
    from dalikit.assembly.registry import Registry
    from dalikit.assembly.schema import json_schema
    from dalikit.runs.configtext import to_yaml

    registry = Registry.discover()
    if schema:
        print(json.dumps(json_schema(registry), indent=2))
        return
    source = settings.dataset_of(data, dataset, registry)
    networks = (method, game, posterior, backbone, source, augmentation)
    given = settings.layers(*networks, recipe, config, assignments, seed, steps, minutes, device, from_run)
    resolved = resolve.resolve(given, registry, data_root)
    if explain:
        _print_origins(resolved)
    else:
        print(to_yaml(resolved.config), end="")


def _print_origins(resolved: "Resolved") -> None:
    from dalikit.assembly.origins import origins, settings_of

    found = origins(resolved)
    values = {path: json.dumps(value, ensure_ascii=False) for path, value in settings_of(resolved.config)}
    width = max(len(f"{path}: {value}") for path, value in values.items() if len(value) <= WIDE)
    for path, value in values.items():
        line = f"{path}: {value}"
        print(f"{line:<{width}}  # {found[path]}")


def _print_table(rows: list[dict[str, Any]], fields: tuple[str, ...]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*(field.replace("_", " ") for field in fields))
    for row in rows:
        table.add_row(*(Text(str(row[field])) for field in fields))
    Console().print(table)
