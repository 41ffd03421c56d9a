"""What a run is made of: each component of its configuration, and the distribution that it came from."""

from collections.abc import Collection, Iterable, Iterator

from dalikit.assembly.registry import OWN_DISTRIBUTION, Registry, Row
from dalikit.errors import PluginError, UserError
from dalikit.hookspecs import PLUGINS_VARIABLE
from dalikit.interfaces import Optimizer
from dalikit.interfaces.kinds import as_slot
from dalikit.runs import RunDirectory
from dalikit.runs.config import RunConfig
from dalikit.runs.manifest import ComponentFacts


def components_of(config: RunConfig, registry: Registry) -> tuple[ComponentFacts, ...]:
    """The components of a resolved configuration, each once."""
    named = dict.fromkeys(_named(config))
    rows = ((name, registry.row(kind, name)) for kind, name in named)
    return tuple(
        ComponentFacts(kind=row.kind, name=name, distribution=row.distribution, version=row.version)
        for name, row in rows
    )


def registry_for(run: RunDirectory) -> Registry:
    """The components of the plugins that a run is made of; others come once one is asked for by name.

    Raises:
        PluginError: a built-in is broken, or anything is and that is to end the command.
    """
    return Registry.discover(needed={each.distribution for each in run.components} or None)


def tell_updates(run: RunDirectory, registry: Registry) -> str:
    """Which plugins of a run are another package or version today; nothing where none is."""
    rows = [(was, _row(was, registry)) for was in run.components if was.distribution != OWN_DISTRIBUTION]
    found = {
        (f"{was.distribution} {was.version}", row.source): f"{was.kind} '{was.name}'"
        for was, row in reversed(rows)
        if row is not None and row.source != f"{was.distribution} {was.version}"
    }
    told = [f"{what} was of {then}, and is of {now}" for (then, now), what in found.items()]
    return f"Run {run.path} was made with other plugins: {'; '.join(told)}" if told else ""


class AbsentError(UserError):
    """A component that a run is made of is not here; the message says what to install."""


def check_present(run: RunDirectory, registry: Registry, kinds: Collection[str] | None = None) -> None:
    """Raise `AbsentError` where a component of a run is not here, by what the run knows of its origin.

    Args:
        run: whose components.
        registry: those that are here.
        kinds: that are needed; all unless given.
    """
    named = [each for each in dict.fromkeys(_named(run.config)) if kinds is None or each[0] in kinds]
    known = {(each.kind, each.name): each for each in run.components}
    check_here(f"Run {run.path}", [known[each] for each in named if each in known], registry)


def check_here(what: str, needed: Iterable[ComponentFacts], registry: Registry) -> None:
    """Raise `AbsentError` where a component that something needs is not among those of the registry."""
    if gone := [each for each in needed if not registry.has(each.kind, each.name)]:
        more = f", and {len(gone) - 1} more" if gone[1:] else ""
        first = f"{gone[0].kind} '{gone[0].name}'{more}"
        raise AbsentError(f"{what} needs {first} of {_remedy(gone[0], registry)}")


def _remedy(gone: ComponentFacts, registry: Registry) -> str:
    """The distribution of a component that is not here, and what is to be done about it."""
    source = f"{gone.distribution} {gone.version}"
    if gone.distribution in registry.left_out:
        return f"{source}, which {PLUGINS_VARIABLE} or --no-plugin leaves out"
    rows = [row for row in registry.rows if row.distribution == gone.distribution]
    faults = [row for row in rows if row.state in ("broken", "refused")]
    own = [
        row.detail for row in faults if row.kind == "plugin" or (row.kind, row.name) == (gone.kind, gone.name)
    ]
    if own:
        return f"{source}, which cannot be used: {own[0]}"
    if rows:
        return (
            f"{source}, which {rows[0].source} no longer offers: install {gone.distribution}=={gone.version}"
        )
    return f"{source}, which is not installed: install {gone.distribution}=={gone.version}"


def _row(was: ComponentFacts, registry: Registry) -> Row | None:
    """The one component that is called so today."""
    try:
        return registry.row(was.kind, was.name) if registry.has(was.kind, was.name) else None
    except PluginError:  # several are: whoever looks it up is told
        return None


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
