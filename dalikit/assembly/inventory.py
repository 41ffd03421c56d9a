"""What a run is made of: each component of its configuration, and the distribution that it came from."""

from collections.abc import Iterator

from dalikit.assembly.registry import Registry
from dalikit.interfaces import Optimizer
from dalikit.interfaces.kinds import as_slot
from dalikit.runs.config import RunConfig
from dalikit.runs.manifest import ComponentFacts


def components_of(config: RunConfig, registry: Registry) -> tuple[ComponentFacts, ...]:
    """The components of a resolved configuration, each once."""
    rows = (registry.row(kind, name) for kind, name in dict.fromkeys(_named(config)))
    return tuple(
        ComponentFacts(kind=row.kind, name=row.name, distribution=row.distribution, version=row.version)
        for row in rows
    )


def _named(config: RunConfig) -> Iterator[tuple[str, str]]:
    slots = {"method": config.method, "dataset": config.dataset, "rules": config.rules, **config.players}
    yield from ((kind, str(slot.name)) for kind, slot in slots.items() if slot.name is not None)
    if config.backbone is not None:
        yield "backbone", config.backbone
    for kind, chosen in (("callback", config.callbacks), ("metric", config.metrics)):
        yield from ((kind, name) for name, params in chosen.items() if params is not None)
    for settings in (config.trainer, *config.trainer.get("roles", {}).values()):
        optimizer = as_slot(settings.get("optimizer", {}))
        yield "optimizer", str(optimizer.get("name") or Optimizer.kind.default)
