"""Whether components take what a configuration says of them; what it leaves out is filled in."""

from collections.abc import Mapping
from typing import Any

from dalikit.assembly.parameters import check_parameters
from dalikit.assembly.registry import Registry
from dalikit.errors import UnfitError, UserError, nearest
from dalikit.interfaces import Method, Role, describe
from dalikit.runs.config import RunConfig, Slot, unknown_section
from dalikit.training.optimization import Optimization, TrainerSettings

Layer = Mapping[str, Any]


def check_players(config: RunConfig, registry: Registry) -> RunConfig:
    """A stored configuration with the method's and the players' parameters checked, and nothing else."""
    slots = {"method": config.method, **config.players}
    return config.model_copy(update={name: fill_slot(name, slot, registry) for name, slot in slots.items()})


def check_dataset(config: RunConfig, registry: Registry) -> RunConfig:
    """A stored configuration with the data set's parameters checked, and nothing else."""
    return config.model_copy(update={"dataset": fill_slot("dataset", config.dataset, registry)})


def check(config: RunConfig, registry: Registry) -> RunConfig:
    """A configuration whose components are all named, its parameters checked, those left out filled in.

    Raises:
        UserError: a component or a parameter is unknown, or a value is of the wrong type.
    """
    check_sections(config, registry)
    changes: dict[str, Any] = {"trainer": _check_trainer(config.trainer, registry)}
    for section in ("callbacks", "metrics"):
        given: dict[str, dict[str, Any] | None] = getattr(config, section)
        kind = section[:-1]
        changes[section] = {name: check_one(kind, name, params, registry) for name, params in given.items()}
    changes["rules"] = fill_slot("rules", config.rules, registry)
    return check_players(check_dataset(config, registry), registry).model_copy(update=changes)


def check_one(kind: str, name: str, given: Layer | None, registry: Registry) -> dict[str, Any] | None:
    """A component's parameters, or None where it is left out; a name that is unknown is not left out."""
    registry.get(kind, name)
    return None if given is None else parameters_of(kind, name, given, registry)


def parameters_of(kind: str, name: str, given: Layer, registry: Registry) -> dict[str, Any]:
    """All the parameters of a component, those left out by their defaults; raises as `check` does."""
    return check_parameters(registry.get(kind, name), f"{kind} '{name}'", given)


def fill_slot(kind: str, slot: Slot, registry: Registry) -> Slot:
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


def roles_of(config: RunConfig, registry: Registry) -> dict[str, Role]:
    """The roles of the configuration's method, by name; raises `UnfitError` where one is of no known kind."""
    method = fill_slot("method", config.method, registry)
    cls: type[Method] = registry.get("method", str(method.name))
    roles = cls.roles(**method.params)
    for name, role in roles.items():
        if role.kind not in registry.players:
            hint = nearest(role.kind, registry.players)
            raise UnfitError(f"{describe(cls)} asks for '{name}' of unknown kind '{role.kind}'.{hint}")
    return roles


def kinds_of(roles: Mapping[str, Role]) -> set[str]:
    """The kinds of component that roles need; an encoder on data has a discriminator's features as trunk."""
    own_trunk = any(role.kind == "encoder" and role.reads != "h" for role in roles.values())
    return {role.kind for role in roles.values()} | ({"discriminator"} if own_trunk else set())


def check_sections(config: RunConfig, registry: Registry) -> None:
    """Raise `UserError` where a section is neither a field's nor a known player's."""
    for section in config.players:
        if section not in registry.players:
            raise unknown_section(section, registry.players)
