"""Which setting was meant where a name is no section: those of that name, wherever there are any."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from dalikit.assembly.parameters import parameter_model
from dalikit.assembly.registry import Registry
from dalikit.errors import SHOWN, UserError
from dalikit.runs.config import SECTIONS, is_slot, unknown_section
from dalikit.training.optimization import TrainerSettings

CALLED = {
    "learning_rate": "lr",
    "batch": "batch_size",
    "iterations": "steps",
    "lambda": "lam",
    "latent": "latent_size",
    "z": "latent_size",
}
"""What people call a setting, and what it is called here."""

MOST = 4
"""Settings that are suggested."""


def check_known(layers: Sequence[Mapping[str, Any]], registry: Registry) -> None:
    """Raise `UserError` where a layer has a section that is none, with what may have been meant."""
    known = {*SECTIONS, *registry.players}
    for name in (name for layer in layers for name in layer if name not in known):
        settings = _settings(registry)
        wanted = CALLED.get(name.lower(), name)
        meant = settings.get(wanted, [])
        if not meant and not get_close_matches(name[:SHOWN], known):
            close = get_close_matches(wanted[:SHOWN], settings, n=1)
            meant = [path for word in close for path in settings[word]]
        if not meant:
            raise unknown_section(name, registry.players)
        more = f", or {len(meant) - MOST} more" if meant[MOST:] else ""
        raise UserError(
            f"Unknown section '{name}': a setting stands in its section. Did you mean "
            f"{' or '.join(meant[:MOST])}{more}?"
        )


def _settings(registry: Registry) -> dict[str, list[str]]:
    """All settings of all components, by the last part of their paths: the trainer's first."""
    found: dict[str, list[str]] = {}
    for path in dict.fromkeys(_paths(registry)):
        found.setdefault(path.rpartition(".")[2], []).append(path)
    return found


def _paths(registry: Registry) -> Iterator[str]:
    yield from (f"trainer.{name}" for name in TrainerSettings.model_fields)
    sections = [*(section for section in SECTIONS if is_slot(section)), *registry.players]
    for section in sections:
        yield from (f"{section}.{name}" for name in registry.kinds[section].settings)
        yield from (f"{section}.{name}" for _, name in _parameters(section, registry))
    yield from (f"trainer.optimizer.{name}" for _, name in _parameters("optimizer", registry))
    for kind in ("callback", "metric"):
        yield from (f"{kind}s.{component}.{name}" for component, name in _parameters(kind, registry))


def _parameters(kind: str, registry: Registry) -> Iterator[tuple[str, str]]:
    for component in registry.names(kind):
        for name in parameter_model(registry.get(kind, component)).model_fields:
            yield component, name
