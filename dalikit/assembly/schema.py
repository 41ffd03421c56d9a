"""The JSON schema of a configuration file."""

from typing import Any

from dalikit.assembly.parameters import parameter_model
from dalikit.assembly.registry import Registry
from dalikit.runs.config import RunConfig, Slot, is_slot
from dalikit.training.optimization import Optimization, TrainerSettings


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
