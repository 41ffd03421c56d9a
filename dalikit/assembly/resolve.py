"""From layers of settings and a registry to a complete configuration: every name and parameter filled in."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalikit.assembly.borrowing import borrow_slots, check_sources, from_run_layer, settle_as_there, unread
from dalikit.assembly.build import make_dataset
from dalikit.assembly.derive import Derivation, fill, put
from dalikit.assembly.parameters import check_parameters, parameter_model
from dalikit.assembly.registry import Registry
from dalikit.errors import UnfitError, UserError, nearest
from dalikit.interfaces import Backbone, Dataset, Derived, Method, Role, Rules, describe
from dalikit.runs.config import RunConfig, Slot, is_slot, merge, unknown_section
from dalikit.training.optimization import Optimization, TrainerSettings

Layer = Mapping[str, Any]


MINUTES = 10.0
"""Of a training of which nobody says how long it is."""


@dataclass(frozen=True)
class Resolved:
    """A complete configuration, and where its settings came from.

    Attributes:
        layers: what was said, the weakest first, each with who said it.
        derived: by dotted path, what was found where nobody said anything.
    """

    config: RunConfig
    layers: Sequence[tuple[str, Layer]]
    derived: Mapping[str, Derived]


def resolve_layers(layers: Sequence[Layer], registry: Registry, root: Path | None = None) -> RunConfig:
    """The complete configuration that `layers`, the weakest first, make on top of their recipes."""
    return resolve(layers, registry, root).config


def resolve(
    layers: Sequence[Layer], registry: Registry, root: Path | None = None, *, spent: float = 0.0
) -> Resolved:
    """What `layers`, the weakest first, make on top of their recipes, where some seconds are `spent` already.

    The weakest recipe is the one that bears the data set's name, where there is one: it knows networks and
    rates for those data. On it lies the one that the layers name: a method's, or another for the same data.
    On those lies the run that the layers start from, where they name one.

    Raises:
        UserError: a name or a parameter is unknown, or a combination means nothing.
    """
    begun = time.monotonic() - spent
    name = _last_name("recipe", layers)
    named: Layer = {} if name is None else registry.get("recipe", name).settings
    dataset = _last_name("dataset", [named, *layers]) or registry.kinds["dataset"].default
    known = dataset in registry.names("recipe") and dataset != name
    own: Layer = registry.get("recipe", str(dataset)).settings if known else {}
    whole = from_run_layer(layers, registry)
    together = merge([own, named, whole, *layers])
    _check_sections(together, registry)
    roles = _roles(together, registry)
    for layer in layers:
        _refuse_unused(layer, roles, str(together.method.name), registry)
    borrowed = {kind for kind, slot in merge([whole, *layers]).players.items() if slot.from_run}
    recipes = [_prune(recipe, roles, borrowed, registry) for recipe in (own, named)]
    whole = _prune(whole, roles, (), registry)
    told = [
        (f"recipe '{dataset}'", recipes[0]),
        (f"recipe '{name}'", recipes[1]),
        (f"run {together.from_run}", whole),
        *(("given", layer) for layer in layers),
    ]
    told = _by_time(told)
    stamp = {"recipe": name or (dataset if known else None)}
    config, derived = complete(merge([*(layer for _, layer in told), stamp]), registry, root, begun)
    return Resolved(config, told, derived)


def _by_time(told: Sequence[tuple[str, Layer]]) -> list[tuple[str, Layer]]:
    """The layers without a number of steps, and what counts in steps, below one that gives a time instead."""
    timed = [i for i, (_, layer) in enumerate(told) if layer.get("minutes") is not None]
    if not timed:
        return list(told)
    last = timed[-1]
    return [(who, _without_steps(layer) if i < last else layer) for i, (who, layer) in enumerate(told)]


def _without_steps(layer: Layer) -> Layer:
    trainer = {key: value for key, value in (layer.get("trainer") or {}).items() if key != "steps"}
    callbacks = {
        name: params and {key: value for key, value in params.items() if key != "every"}
        for name, params in (layer.get("callbacks") or {}).items()
    }
    return {**layer, "trainer": trainer, "callbacks": callbacks}


def _last_name(section: str, layers: Sequence[Layer]) -> str | None:
    """What the last layer that names anything in a section names there."""
    given = [layer[section] for layer in layers if layer.get(section) is not None]
    names = [value.get("name") if isinstance(value, Mapping) else value for value in given]
    return next((str(name) for name in reversed(names) if name is not None), None)


def complete(
    config: RunConfig, registry: Registry, root: Path | None = None, begun: float | None = None
) -> tuple[RunConfig, Mapping[str, Derived]]:
    """The configuration with every component named and every parameter set and checked; what was derived.

    `begun` is when the time began to run that a training is to take, as `time.monotonic` has it.
    """
    _check_sections(config, registry)
    sources = unread(config)
    config, borrowed = borrow_slots(config)
    dataset = make_dataset(check_dataset(config, registry), registry, root)
    settled = borrowed | {f"dataset.{name}": derived for name, derived in dataset.settled.items()}
    if there := settle_as_there(sources, dataset):
        settled |= {f"dataset.{name}": derived for name, derived in there.items()}
        dataset = make_dataset(check_dataset(fill(config, settled), registry), registry, root)
    check_sources(sources, dataset, bool(config.method.params.get("conditional")))
    named, watched = _settle(_with_names(fill(config, settled), dataset, registry), registry)
    settled |= watched
    seconds = None
    if named.trainer.get("steps") is None:
        minutes = Derived(MINUTES, "nobody says how long")
        settled, named = {"minutes": minutes, **settled}, fill(named, {"minutes": minutes})
        elapsed = 0.0 if begun is None else time.monotonic() - begun
        seconds = max(1.0, 60 * float(named.minutes or MINUTES) - elapsed)
    rules = _rules(named, registry)

    def whole(one: RunConfig) -> RunConfig:
        return check(_with_z(one, dataset), registry)

    derived = Derivation(named, dataset, registry, whole, seconds).derive(rules)
    return whole(fill(named, derived)), {**settled, **derived}


def _settle(config: RunConfig, registry: Registry) -> tuple[RunConfig, dict[str, Derived]]:
    """The configuration with what its callbacks settle, and that by dotted path."""
    method: type[Method] = registry.get("method", str(config.method.name))
    found: dict[str, Derived] = {}
    for name in [name for name, params in config.callbacks.items() if params is not None]:
        settings = config.model_dump()
        callbacks = {each: _check_one("callback", each, p, registry) for each, p in config.callbacks.items()}
        own = registry.get("callback", name).settled({**settings, "callbacks": callbacks}, method)
        for path, derived in own.items():
            settings = put(settings, path, derived.value)
        config, found = RunConfig.model_validate(settings), found | dict(own)
    return config, found


def _rules(config: RunConfig, registry: Registry) -> Rules:
    slot = _fill("rules", config.rules, registry)
    return registry.get("rules", str(slot.name))(**slot.params)


def _with_names(config: RunConfig, dataset: Dataset, registry: Registry) -> RunConfig:
    """The configuration with each component named, and its data set's metrics."""
    needed = _kinds(_roles(config, registry))
    backbone: Backbone = registry.get("backbone", config.backbone or dataset.backbone)
    players = {}
    for kind in sorted(needed, key=registry.players.index):
        row = registry.kinds[kind]
        default = getattr(backbone, kind, None) if row.network else row.default
        slot = config.players.get(kind, Slot())
        players[kind] = slot.model_copy(update={"name": slot.name or default})
    fields = config.model_dump(include=set(RunConfig.model_fields))
    wanted = {name: config.metrics.get(name, {}) for name in dataset.metrics}
    fields |= {"backbone": backbone.name, "metrics": {**wanted, **config.metrics}}
    return RunConfig.model_validate(fields | players)


def _with_z(config: RunConfig, dataset: Dataset) -> RunConfig:
    """The configuration with the data set's own Z, where it says one and nobody else does."""
    z = Derived(dataset.latent_size, "the data set's own")
    return config if dataset.latent_size is None else fill(config, {"generator.latent_size": z})


def check_players(config: RunConfig, registry: Registry) -> RunConfig:
    """A stored configuration with the method's and the players' parameters checked, and nothing else."""
    slots = {"method": config.method, **config.players}
    return config.model_copy(update={name: _fill(name, slot, registry) for name, slot in slots.items()})


def check_dataset(config: RunConfig, registry: Registry) -> RunConfig:
    """A stored configuration with the data set's parameters checked, and nothing else."""
    return config.model_copy(update={"dataset": _fill("dataset", config.dataset, registry)})


def check(config: RunConfig, registry: Registry) -> RunConfig:
    """A configuration whose components are all named, its parameters checked, those left out filled in.

    Raises:
        UserError: a component or a parameter is unknown, or a value is of the wrong type.
    """
    _check_sections(config, registry)
    changes: dict[str, Any] = {"trainer": _check_trainer(config.trainer, registry)}
    for section in ("callbacks", "metrics"):
        given: dict[str, dict[str, Any] | None] = getattr(config, section)
        kind = section[:-1]
        changes[section] = {name: _check_one(kind, name, params, registry) for name, params in given.items()}
    changes["rules"] = _fill("rules", config.rules, registry)
    return check_players(check_dataset(config, registry), registry).model_copy(update=changes)


def _check_one(kind: str, name: str, given: Layer | None, registry: Registry) -> dict[str, Any] | None:
    """A component's parameters, or None where it is left out; a name that is unknown is not left out."""
    registry.get(kind, name)
    return None if given is None else parameters_of(kind, name, given, registry)


def parameters_of(kind: str, name: str, given: Layer, registry: Registry) -> dict[str, Any]:
    """All the parameters of a component, those left out by their defaults; raises as `check` does."""
    return check_parameters(registry.get(kind, name), f"{kind} '{name}'", given)


def _fill(kind: str, slot: Slot, registry: Registry) -> Slot:
    """The slot with all its parameters."""
    stray = [name for name in slot.settings if name not in registry.kinds[kind].settings]
    given = {**slot.params, **{name: slot.settings[name] for name in stray}}
    params = parameters_of(kind, str(slot.name), given, registry)
    return Slot(name=slot.name, **slot.settings, **params)


def _check_trainer(given: Layer, registry: Registry) -> dict[str, Any]:
    settings = check_parameters(TrainerSettings, "trainer", given)
    settings["optimizer"] = _fill_optimizer("trainer.optimizer", settings["optimizer"], registry)
    whole = TrainerSettings.model_validate(settings)
    for role, own in settings["roles"].items():
        checked = check_parameters(Optimization, f"trainer.roles.{role}", own)
        settings["roles"][role] = {name: checked[name] for name in own}
        if "optimizer" in own:
            slot, place = whole.of(role).optimizer, f"trainer.roles.{role}.optimizer"
            settings["roles"][role]["optimizer"] = _fill_optimizer(place, slot, registry)
    return settings


def _fill_optimizer(place: str, slot: Layer, registry: Registry) -> dict[str, Any]:
    """An optimizer's name, the default one unless told, with all its settings."""
    name = str(slot.get("name") or registry.kinds["optimizer"].default)
    given = {key: value for key, value in slot.items() if key != "name"}
    try:
        component = registry.get("optimizer", name)
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
    return {"name": name, **check_parameters(component, f"{place}: optimizer '{name}'", given)}


def _roles(config: RunConfig, registry: Registry) -> dict[str, Role]:
    method = _fill("method", config.method, registry)
    cls: type[Method] = registry.get("method", str(method.name))
    roles = cls.roles(**method.params)
    for name, role in roles.items():
        if role.kind not in registry.players:
            hint = nearest(role.kind, registry.players)
            raise UnfitError(f"{describe(cls)} asks for '{name}' of unknown kind '{role.kind}'.{hint}")
    return roles


def _kinds(roles: Mapping[str, Role]) -> set[str]:
    """The kinds of component that roles need; an encoder on data has a discriminator's features as trunk."""
    own_trunk = any(role.kind == "encoder" and role.reads != "h" for role in roles.values())
    return {role.kind for role in roles.values()} | ({"discriminator"} if own_trunk else set())


def _check_sections(config: RunConfig, registry: Registry) -> None:
    for section in config.players:
        if section not in registry.players:
            raise unknown_section(section, registry.players)


def _refuse_unused(layer: Layer, roles: Mapping[str, Role], method: str, registry: Registry) -> None:
    kinds = _kinds(roles)
    for kind in registry.players:
        given = layer.get(kind)
        if kind in kinds or not given:
            continue
        name = given if isinstance(given, str) else given.get("name")
        named = f" '{name}'" if name else ""
        raise UnfitError(f"Method '{method}' has no {kind}, so {kind}{named} means nothing: leave it out")


def _prune(
    settings: Layer, roles: Mapping[str, Role], borrowed: Collection[str], registry: Registry
) -> dict[str, Any]:
    """A recipe's settings without those for roles that the method, another than its own, does not have.

    Nor for networks that are `borrowed` from another run, which knows their settings.
    """
    absent = {*(set(registry.players) - _kinds(roles)), *borrowed}
    kept = {section: value for section, value in settings.items() if section not in absent}
    if "roles" in kept.get("trainer", {}):
        trained = {name for name, role in roles.items() if not role.frozen}
        own = {role: options for role, options in kept["trainer"]["roles"].items() if role in trained}
        kept["trainer"] = {**kept["trainer"], "roles": own}
    return kept


def json_schema(registry: Registry) -> dict[str, Any]:
    """The JSON schema of a configuration file: each section's components, with all their parameters."""
    schema = RunConfig.model_json_schema()
    definitions = schema.setdefault("$defs", {})
    schema["additionalProperties"] = False
    for section in [*(s for s in RunConfig.model_fields if is_slot(s)), *registry.players]:
        choices = _schemas_of(section, registry, definitions)
        schema["properties"][section] = {"anyOf": [*choices, {"type": "null"}]}
    trainer = TrainerSettings.model_json_schema()
    role = Optimization.model_json_schema()
    for settings in (trainer, role):
        definitions |= settings.pop("$defs", {})
        settings["properties"]["optimizer"] = {"anyOf": _schemas_of("optimizer", registry, definitions)}
    trainer["properties"]["roles"] = {"type": "object", "additionalProperties": role}
    schema["properties"]["trainer"] = trainer
    return schema


def _schemas_of(kind: str, registry: Registry, definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema of each component of a kind, as its section holds it."""
    own = Slot.model_json_schema()["properties"]
    base = {name: own[name] for name in ("name", *registry.kinds[kind].settings)}
    choices = []
    for name in registry.names(kind):
        fields = parameter_model(registry.get(kind, name)).model_json_schema()
        definitions |= fields.pop("$defs", {})
        fields["properties"] = {**base, "name": {"const": name}, **fields.get("properties", {})}
        choices.append({**fields, "title": f"{kind} {name}", "required": ["name"]})
    return choices
