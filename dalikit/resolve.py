"""From layers of settings and a registry to a complete configuration: every name and parameter filled in."""

from collections.abc import Mapping, Sequence
from typing import Any

from dalikit.config import NETWORKS, SLOTS, GeneratorSlot, RunConfig, Slot, merged
from dalikit.errors import UnfitError
from dalikit.interfaces import Backbone, Dataset, Role
from dalikit.parameters import jsonable, parameter_model, validated
from dalikit.registry import Registry
from dalikit.training import Trainer

DEFAULTS = {"game": "gan", "posterior": "diag"}
"""The components that complete the paper's DALI, where a method needs such a role and none is named."""


def layered(layers: Sequence[Mapping[str, Any]], registry: Registry) -> RunConfig:
    """The complete configuration that `layers`, the weakest first, make on top of their recipe.

    The recipe is the one they name, else the one that bears the data set's name, where there is one.

    Raises:
        UserError: a name or a parameter is unknown, or a combination means nothing.
    """
    config = merged(list(layers))
    name = config.recipe
    if name is None and config.dataset.name in registry.names("recipe"):
        name = config.dataset.name
    settings: Mapping[str, Any] = {}
    if name is not None:
        settings = registry.get("recipe", name).settings
        config = merged([settings, *layers, {"recipe": name}])
    roles = _roles(config, registry)
    for layer in layers:
        _refuse_unused(layer, roles, str(config.method.name))
    return resolved(merged([_pruned(settings, roles), *layers, {"recipe": name}]), registry)


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
        own = {role: options for role, options in kept["trainer"]["roles"].items() if role in roles}
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
        slot: Slot = getattr(config, kind) or (GeneratorSlot() if kind == "generator" else Slot())
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
    own = {"latent_size": slot.latent_size} if isinstance(slot, GeneratorSlot) else {}
    return type(slot).model_validate({"name": named.name, **own, **params})


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
        own = GeneratorSlot if section == "generator" else Slot
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
