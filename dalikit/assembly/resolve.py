"""From layers of settings and a registry to a complete configuration, and to what it was made of."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalikit.assembly.borrowing import from_run_layer
from dalikit.assembly.checking import Layer, check_sections, kinds_of, roles_of
from dalikit.assembly.completion import complete
from dalikit.assembly.registry import Registry
from dalikit.assembly.suggesting import check_known
from dalikit.errors import UnfitError
from dalikit.interfaces import Derived, Role
from dalikit.runs.config import RunConfig, merge

GIVEN = "given"
"""Who said what the user did."""


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
    check_known(layers, registry)
    name = _last_name("recipe", layers)
    named: Layer = {} if name is None else registry.get("recipe", name).settings
    dataset = _last_name("dataset", [named, *layers]) or registry.kinds["dataset"].default
    known = dataset in registry.names("recipe") and dataset != name
    own: Layer = registry.get("recipe", str(dataset)).settings if known else {}
    whole = from_run_layer(layers, registry)
    together = merge([own, named, whole, *layers])
    check_sections(together, registry)
    roles = roles_of(together, registry)
    for layer in layers:
        _refuse_unused(layer, roles, str(together.method.name), registry)
    borrowed = {kind for kind, slot in merge([whole, *layers]).players.items() if slot.from_run}
    recipes = [_prune(recipe, roles, borrowed, registry) for recipe in (own, named)]
    whole = _prune(whole, roles, (), registry)
    told = [
        (f"recipe '{dataset}'", recipes[0]),
        (f"recipe '{name}'", recipes[1]),
        (f"run {together.from_run}", whole),
        *((GIVEN, layer) for layer in layers),
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
    below = [(who, _without_steps(layer, whole=who != GIVEN)) for who, layer in told[:last]]
    return [*below, *told[last:]]


def _without_steps(layer: Layer, *, whole: bool) -> Layer:
    """The layer without its number of steps; `whole` takes away intervals too, which a recipe made for it."""
    trainer = {key: value for key, value in (layer.get("trainer") or {}).items() if key != "steps"}
    callbacks = {
        name: params and {key: value for key, value in params.items() if key != "every"}
        for name, params in (layer.get("callbacks") or {}).items()
    }
    return {**layer, "trainer": trainer, **({"callbacks": callbacks} if whole else {})}


def _last_name(section: str, layers: Sequence[Layer]) -> str | None:
    """What the last layer that names anything in a section names there."""
    given = [layer[section] for layer in layers if layer.get(section) is not None]
    names = [value.get("name") if isinstance(value, Mapping) else value for value in given]
    return next((str(name) for name in reversed(names) if name is not None), None)


def _refuse_unused(layer: Layer, roles: Mapping[str, Role], method: str, registry: Registry) -> None:
    kinds = kinds_of(roles)
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
    absent = {*(set(registry.players) - kinds_of(roles)), *borrowed}
    kept = {section: value for section, value in settings.items() if section not in absent}
    if "roles" in kept.get("trainer", {}):
        trained = {name for name, role in roles.items() if not role.frozen}
        own = {role: options for role, options in kept["trainer"]["roles"].items() if role in trained}
        kept["trainer"] = {**kept["trainer"], "roles": own}
    return kept
