"""Where each setting of a configuration came from."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dalikit.assembly.derive import look_up
from dalikit.assembly.resolve import Resolved
from dalikit.runs.config import NETWORKS, RunConfig, join


def origins(resolved: Resolved) -> dict[str, str]:
    """By dotted path, who gave each setting: the user, a recipe, a rule with its reason, or a component."""
    layers = [(who, join([layer])) for who, layer in resolved.layers]
    return {path: _origin(path, value, layers, resolved) for path, value in settings_of(resolved.config)}


def settings_of(config: RunConfig) -> Iterator[tuple[str, Any]]:
    """Every setting of a configuration by its dotted path, as JSON has it."""
    return _leaves(json.loads(config.model_dump_json()), "")


def _leaves(settings: Mapping[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{place}{name}.")
        else:
            yield f"{place}{name}", value


def _origin(path: str, value: Any, layers: list[tuple[str, dict[str, Any]]], resolved: Resolved) -> str:
    section, replaced = path.partition(".")[0], False
    for who, layer in reversed(layers):
        given = look_up(layer, path)
        # What a layer says of a component that a later one has replaced, says nothing of this one; a value of
        # which its component has made another, an absolute path of a relative one, is still the layer's.
        if given is not None and (not replaced or json.loads(json.dumps(given, default=list)) == value):
            return who
        networks = section in NETWORKS and layer.get("backbone") is not None
        replaced = replaced or networks or look_up(layer, f"{section}.name") is not None
    if path in resolved.derived:
        return f"derived: {resolved.derived[path].reason}"
    return "default"
