"""A configuration completed: components named, what nobody gave derived, every parameter filled in."""

import time
from collections.abc import Mapping
from pathlib import Path

from dalikit.assembly.borrowing import borrow_slots, check_sources, settle_as_there, unread
from dalikit.assembly.build import make_dataset
from dalikit.assembly.checking import (
    check,
    check_dataset,
    check_one,
    check_sections,
    fill_slot,
    kinds_of,
    roles_of,
)
from dalikit.assembly.derive import Derivation, fill, put
from dalikit.assembly.registry import Registry
from dalikit.assembly.timing import measure_pace
from dalikit.interfaces import Backbone, Dataset, Derived, Method, Pace, Rules
from dalikit.runs.config import RunConfig, Slot

Z = 64
"""The codes' size where neither a data set nor a rule says one."""

MINUTES = 10.0
"""Of a training of which nobody says how long it is."""


def complete(
    config: RunConfig, registry: Registry, root: Path | None = None, begun: float | None = None
) -> tuple[RunConfig, Mapping[str, Derived]]:
    """The configuration with every component named and every parameter set and checked; what was derived.

    `begun` is when the time began to run that a training is to take, as `time.monotonic` has it.
    """
    check_sections(config, registry)
    sources = unread(config)
    config, borrowed = borrow_slots(config)
    dataset = make_dataset(check_dataset(config, registry), registry, root)
    settled = borrowed | {f"dataset.{name}": derived for name, derived in dataset.settled.items()}
    if there := settle_as_there(sources, dataset):
        settled |= {f"dataset.{name}": derived for name, derived in there.items()}
        dataset = make_dataset(check_dataset(fill(config, settled), registry), registry, root)
    check_sources(sources, dataset, bool(config.method.params.get("conditional")))
    named = fill(_with_names(config, dataset, registry), settled)
    named, watched = _settle(named, registry)
    settled |= watched
    left = None
    if named.trainer.get("steps") is None:
        minutes = Derived(MINUTES, "nobody says how long")
        settled, named = {"minutes": minutes, **settled}, fill(named, {"minutes": minutes})
        until = (time.monotonic() if begun is None else begun) + 60 * float(named.minutes or MINUTES)

        def left() -> float:
            return max(1.0, until - time.monotonic())

    rules = _rules(named, registry)

    def whole(one: RunConfig) -> RunConfig:
        return check(_with_defaults(one, registry), registry)

    def timed(one: RunConfig, patience: float) -> Pace:
        return measure_pace(one, registry, dataset, patience)

    whole(named)  # what was given must be sound before anything follows from it
    derived = Derivation(named, dataset, registry, whole, timed, left).derive(rules)
    return whole(fill(named, derived)), {**settled, **derived}


def _settle(config: RunConfig, registry: Registry) -> tuple[RunConfig, dict[str, Derived]]:
    """The configuration with what its callbacks settle, and that by dotted path."""
    method: type[Method] = registry.get("method", str(config.method.name))
    found: dict[str, Derived] = {}
    for name in [name for name, params in config.callbacks.items() if params is not None]:
        settings = config.model_dump()
        callbacks = {each: check_one("callback", each, p, registry) for each, p in config.callbacks.items()}
        own = registry.get("callback", name).settled({**settings, "callbacks": callbacks}, method)
        for path, derived in own.items():
            settings = put(settings, path, derived.value)
        config, found = RunConfig.model_validate(settings), found | dict(own)
    return config, found


def _rules(config: RunConfig, registry: Registry) -> Rules:
    slot = fill_slot("rules", config.rules, registry)
    return registry.get("rules", str(slot.name))(**slot.params)


def _with_names(config: RunConfig, dataset: Dataset, registry: Registry) -> RunConfig:
    """The configuration with a section for each player, networks named, and its data set's metrics."""
    needed = kinds_of(roles_of(config, registry))
    row = registry.row("backbone", config.backbone or dataset.backbone)
    backbone: Backbone = row.component
    players = {}
    for kind in sorted(needed, key=registry.players.index):
        default = getattr(backbone, kind, None) if registry.kinds[kind].network else None
        own = None if default is None else registry.beside(row, kind, default)
        slot = config.players.get(kind, Slot())
        players[kind] = slot.model_copy(update={"name": slot.name or own})
    fields = config.model_dump(include=set(RunConfig.model_fields))
    wanted = {name: config.metrics.get(name, {}) for name in dataset.metrics}
    fields |= {"backbone": config.backbone or backbone.name, "metrics": {**wanted, **config.metrics}}
    return RunConfig.model_validate(fields | players)


def _with_defaults(config: RunConfig, registry: Registry) -> RunConfig:
    """The configuration with the names of players, and a Z, that neither the rules nor anybody else gave."""
    last = {
        f"{kind}.name": Derived(registry.kinds[kind].default, "its kind's own")
        for kind in config.players
        if registry.kinds[kind].default is not None
    }
    z = {"generator.latent_size": Derived(Z, "for want of a rule")} if "generator" in config.players else {}
    return fill(config, last | z)
