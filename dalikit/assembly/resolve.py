"""From layers of settings and a registry to a complete configuration: every name and parameter filled in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dalikit.assembly.parameters import jsonable, parameter_model, validated
from dalikit.assembly.registry import Registry
from dalikit.errors import UnfitError
from dalikit.interfaces import Backbone, Dataset, Role
from dalikit.runs import RunDirectory
from dalikit.runs.config import NETWORKS, SLOTS, GeneratorSlot, NetworkSlot, RunConfig, Slot, merged
from dalikit.training import Trainer

DEFAULTS = {"game": "gan", "posterior": "diag"}
"""The components that complete the paper's DALI, where a method needs such a role and none is named."""

EMPTY: dict[str, Slot] = {"generator": GeneratorSlot(), "discriminator": NetworkSlot()}
"""What stands for a network that no layer mentions."""


def layered(layers: Sequence[Mapping[str, Any]], registry: Registry) -> RunConfig:
    """The complete configuration that `layers`, the weakest first, make on top of their recipes.

    The weakest recipe is the one that bears the data set's name, where there is one: it knows networks and
    rates for those data. On it lies the one that the layers name: a method's, or another for the same data.

    Raises:
        UserError: a name or a parameter is unknown, or a combination means nothing.
    """
    name = merged(list(layers)).recipe
    named: Mapping[str, Any] = {} if name is None else registry.get("recipe", name).settings
    dataset = str(merged([named, *layers]).dataset.name)
    known = dataset in registry.names("recipe") and dataset != name
    own: Mapping[str, Any] = registry.get("recipe", dataset).settings if known else {}
    stamp = {"recipe": name or (dataset if known else None)}
    roles = _roles(merged([own, named, *layers]), registry)
    for layer in layers:
        _refuse_unused(layer, roles, str(merged([own, named, *layers]).method.name))
    recipes = [_pruned(own, roles), _pruned(named, roles)]
    return resolved(merged([*recipes, *layers, stamp]), registry)


def _roles(config: RunConfig, registry: Registry) -> dict[str, Role]:
    method = _filled("method", config.method, registry)
    roles: dict[str, Role] = registry.get("method", str(method.name)).roles(**method.params)
    return roles


def _kinds(roles: Mapping[str, Role]) -> set[str]:
    """The kinds of component that roles need; an encoder on data has a discriminator's features as trunk."""
    trunk = {"discriminator"} if any((r.kind, r.on) == ("encoder", "x") for r in roles.values()) else set()
    return {role.kind for role in roles.values()} | trunk


def _refuse_unused(layer: Mapping[str, Any], roles: Mapping[str, Role], method: str) -> None:
    kinds = _kinds(roles)
    for kind in ("game", "posterior", "encoder", "discriminator", "generator"):
        if kind not in kinds and (given := layer.get(kind)):
            name = given if isinstance(given, str) else given.get("name")
            named = f" '{name}'" if name else ""
            raise UnfitError(f"Method '{method}' has no {kind}, so {kind}{named} means nothing: leave it out")


def _pruned(settings: Mapping[str, Any], roles: Mapping[str, Role]) -> dict[str, Any]:
    """A recipe's settings without those for roles that the method, another than its own, does not have."""
    kinds = _kinds(roles)
    absent = {kind for kind in ("game", "posterior", *NETWORKS) if kind not in kinds}
    kept = {section: value for section, value in settings.items() if section not in absent}
    if "roles" in kept.get("trainer", {}):
        trained = {name for name, role in roles.items() if not role.frozen}
        own = {role: options for role, options in kept["trainer"]["roles"].items() if role in trained}
        kept["trainer"] = {**kept["trainer"], "roles": own}
    return kept


def resolved(config: RunConfig, registry: Registry) -> RunConfig:
    """The configuration with every component named and every parameter filled in and checked."""
    needed = _kinds(_roles(config, registry))
    dataset_slot = _filled("dataset", config.dataset, registry)
    make_dataset = registry.get("dataset", str(dataset_slot.name))
    dataset: Dataset = make_dataset(**parameters_of("dataset", dataset_slot, registry))
    backbone: Backbone = registry.get("backbone", config.backbone or dataset.backbone)
    method = _filled("method", config.method, registry)
    changes: dict[str, Any] = {"method": method, "dataset": dataset_slot, "backbone": backbone.name}
    for kind in ("game", "posterior", *NETWORKS):
        slot: Slot = getattr(config, kind) or EMPTY.get(kind, Slot())
        if isinstance(slot, NetworkSlot) and slot.from_run is not None and slot.name is None:
            slot = _borrowed(kind, slot)  # once: afterwards the run itself is no longer needed
        default = DEFAULTS.get(kind) or getattr(backbone, kind)
        changes[kind] = _filled(kind, slot, registry, default) if kind in needed else None
    generator = changes["generator"]
    if generator is not None and generator.latent_size is None:
        changes["generator"] = generator.model_copy(update={"latent_size": dataset.latent_size})
    changes["trainer"] = jsonable(Trainer, validated(Trainer, "trainer", config.trainer))
    changes["callbacks"] = _filled_all("callback", config.callbacks, registry)
    wanted = {name: config.metrics.get(name, {}) for name in dataset.metrics}
    changes["metrics"] = _filled_all("metric", {**wanted, **config.metrics}, registry)
    return config.model_copy(update=changes)


def parameters_of(kind: str, slot: Slot, registry: Registry) -> dict[str, Any]:
    """All the parameters of a slot's component, those left out by their defaults.

    Raises:
        UserError: the component or a parameter is unknown, or a value is of the wrong type.
    """
    return validated(registry.get(kind, str(slot.name)), f"{kind} '{slot.name}'", slot.params)


def _filled(kind: str, slot: Slot, registry: Registry, default: str | None = None) -> Slot:
    """The slot with its name and all its parameters."""
    named = slot.model_copy(update={"name": slot.name or default})
    component = registry.get(kind, str(named.name))
    params = jsonable(component, parameters_of(kind, named, registry))
    own = slot.model_dump(include=set(type(slot).model_fields) - {"name"})
    return type(slot).model_validate({"name": named.name, **own, **params})


def _borrowed(kind: str, slot: NetworkSlot) -> NetworkSlot:
    """The slot of a trained run's network, as that run had it.

    Raises:
        UnfitError: the run has none, or settings contradict it.
    """
    theirs: NetworkSlot | None = getattr(RunDirectory.open(Path(str(slot.from_run))).config, kind)
    if theirs is None:
        raise UnfitError(f"{kind}.from_run: run {slot.from_run} has no {kind}")
    given = {k: v for k, v in slot.model_dump().items() if v is not None and k != "from_run"}
    for key, value in given.items():
        if theirs.model_dump().get(key) != value:
            raise UnfitError(
                f"{kind}.{key} = {value!r} does not go with {kind}.from_run: that run has "
                f"{theirs.model_dump().get(key)!r}; leave it out"
            )
    return theirs.model_copy(update={"from_run": slot.from_run})


def _filled_all(
    kind: str, given: Mapping[str, dict[str, Any] | None], registry: Registry
) -> dict[str, dict[str, Any] | None]:
    """Components of `kind` by name, each with all its parameters; None stands for one that is left out."""
    return {
        name: params if params is None else _filled(kind, Slot(name=name, **params), registry).params
        for name, params in given.items()
    }


def json_schema(registry: Registry) -> dict[str, Any]:
    """The JSON schema of a configuration file: each section's components, with all their parameters."""
    schema = RunConfig.model_json_schema()
    definitions = schema.setdefault("$defs", {})
    for section in SLOTS:
        own = type(EMPTY.get(section, Slot()))
        choices = []
        for name in registry.names(section):
            fields = parameter_model(registry.get(section, name)).model_json_schema()
            definitions |= fields.pop("$defs", {})
            base = own.model_json_schema()["properties"]
            fields["properties"] = {**base, "name": {"const": name}, **fields.get("properties", {})}
            choices.append({**fields, "title": f"{section} {name}", "required": ["name"]})
        schema["properties"][section] = {"anyOf": [*choices, {"type": "null"}]}
    trainer = parameter_model(Trainer).model_json_schema()
    definitions |= trainer.pop("$defs", {})
    schema["properties"]["trainer"] = trainer
    return schema
