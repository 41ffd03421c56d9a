"""What a run is: a frozen, complete record, and how layers of partial settings make one.

Layers, later ones winning: a recipe, a configuration file, options of the command line, `--set`. A layer
that names another component than the layer below drops that one's parameters.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from dalikit.errors import UserError, nearest

NETWORKS = ("generator", "discriminator", "encoder")
SLOTS = ("method", "game", "posterior", *NETWORKS, "dataset")


class Slot(BaseModel):
    """A component by name, with its parameters beside it: `{name: dali, lam: 1.0}`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str | None = None

    @property
    def params(self) -> dict[str, Any]:
        """The component's parameters."""
        return dict(self.model_extra or {})


class NetworkSlot(Slot):
    """A network; with `from_run`, the trained one of another run, its averaged weights to start from."""

    from_run: str | None = None


class GeneratorSlot(NetworkSlot):
    """The generator, and with it the latent size Z; None takes the data set's own."""

    latent_size: int | None = Field(default=None, ge=1, strict=True)


class RunConfig(BaseModel):
    """The settings of a run. A name left out is chosen by the method, the data set or the backbone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str | None = None
    method: Slot = Slot(name="dali")
    game: Slot | None = None
    posterior: Slot | None = None
    backbone: str | None = None
    generator: GeneratorSlot | None = None
    discriminator: NetworkSlot | None = None
    encoder: Slot | None = None
    dataset: Slot = Slot(name="digits")
    trainer: dict[str, Any] = {}
    callbacks: dict[str, dict[str, Any] | None] = {
        "progress": {},
        "log": {},
        "evaluation": {},
        "pictures": {},
        "checkpoint": {},
    }
    metrics: dict[str, dict[str, Any] | None] = {}
    seed: int = Field(default=0, ge=0, lt=2**32, strict=True)
    device: str = "auto"
    threads: int | None = Field(default=None, ge=1, strict=True)
    """CPU threads; None leaves it to torch. Small networks gain nothing from a second one."""

    @field_validator(*SLOTS, mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


def merged(layers: list[Mapping[str, Any]]) -> RunConfig:
    """The configuration that `layers`, the weakest first, make together.

    Raises:
        UserError: a section or field is unknown or of the wrong type.
    """
    settings: dict[str, Any] = RunConfig().model_dump(exclude_none=True)
    for layer in layers:
        settings = _overlaid(settings, layer)
    try:
        return RunConfig.model_validate(settings)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            sections = list(RunConfig.model_fields)
            hint = nearest(place, sections)
            message = f"Unknown section '{place}'.{hint} Sections: {', '.join(sections)}"
            raise UserError(message) from None
        raise UserError(f"Configuration: {place} = {fault['input']!r}: {fault['msg']}") from None


def _overlaid(base: Mapping[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    if layer.get("backbone", base.get("backbone")) != base.get("backbone"):
        for network in NETWORKS:
            result[network] = _kept(result.get(network))
    if _renamed("dataset", result.get("dataset"), _slot(layer.get("dataset"))):
        result.pop("metrics", None)  # what is measured depends on the data
    for section, value in layer.items():
        value = _slot(value) if section in SLOTS else value
        below = result.get(section)
        result[section] = _deep(_kept(below) if _renamed(section, below, value) else below, value)
    return {section: value for section, value in result.items() if value is not None}


def _slot(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _kept(slot: Any) -> dict[str, Any] | None:
    """What of a slot outlives its component: Z, which is a setting of the run."""
    if isinstance(slot, Mapping) and slot.get("latent_size") is not None:
        return {"latent_size": slot["latent_size"]}
    return None


def _renamed(section: str, below: Any, value: Any) -> bool:
    """Whether `value` names another component than the layer below does."""
    if section not in SLOTS or not isinstance(value, Mapping) or not isinstance(below, Mapping):
        return False
    return value.get("name") not in (None, below.get("name"))


def _deep(below: Any, value: Any) -> Any:
    if not isinstance(value, Mapping) or not isinstance(below, Mapping):
        return value
    return {**below, **{key: _deep(below.get(key), inner) for key, inner in value.items()}}


def together(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Layers as one, of which none is above another: a name and a parameter in either order mean the same."""
    result: dict[str, Any] = {}
    for layer in layers:
        result = _deep(result, layer)
    return result


def from_file(path: Path) -> dict[str, Any]:
    """The settings in a YAML (or JSON) file.

    Raises:
        UserError: the file cannot be read, or holds no mapping.
    """
    try:
        settings = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise UserError(f"Configuration file {path}: {reason}") from None
    except (yaml.YAMLError, ValueError) as error:  # a date such as 2020-13-45 is a plain ValueError
        raise UserError(f"Configuration file {path}: {' '.join(str(error).split())}") from None
    if not isinstance(settings, dict):
        raise UserError(f"Configuration file {path} holds no 'section: value' lines")
    return settings


def from_assignment(text: str) -> dict[str, Any]:
    """The settings that one `dotted.key=value` means; the value is read as YAML.

    Examples:
        >>> from_assignment("trainer.batch_size=128")
        {'trainer': {'batch_size': 128}}
        >>> from_assignment("trainer.lr=1e-4")
        {'trainer': {'lr': 0.0001}}

    Raises:
        UserError: there is no `=`, no key, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise UserError(f"--set {text}: write it as section.key=value, e.g. --set method.lam=0.5")
    try:
        setting = yaml.load(value, _Loader)
    except (yaml.YAMLError, ValueError):
        raise UserError(f"--set {text}: '{value}' is not a YAML value") from None
    for part in reversed(key.split(".")):
        setting = {part: setting}
    return setting


def to_yaml(config: RunConfig) -> str:
    """The configuration as YAML that `from_file` reads back."""
    settings = json.loads(config.model_dump_json(exclude_none=False))
    return yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=100)


class _Loader(yaml.SafeLoader):
    """YAML with the floats that people write: in YAML 1.1, `1e-4` is a string."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.\d*|\.\d+|\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)
