"""What a run is: a frozen, complete record, and how layers of partial settings make one.

Layers, later ones winning: a recipe, a configuration file, options of the command line, `--set`. A layer
that names another component than the layer below drops that one's parameters.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from dalikit.errors import UserError, nearest, shortened
from dalikit.interfaces import (
    AdversarialGame,
    Augmentation,
    Dataset,
    Discriminator,
    Encoder,
    Generator,
    Method,
    Optimizer,
    Posterior,
    Rules,
)
from dalikit.interfaces.kinds import as_slot

NETWORKS = tuple(base.kind.name for base in (Generator, Discriminator, Encoder))
"""The sections of what a backbone names."""

PLAYERS = (*NETWORKS, *(base.kind.name for base in (AdversarialGame, Posterior, Augmentation)))
"""The sections of dalikit's own players; plugins may bring more."""


class Slot(BaseModel):
    """A component by name, with its parameters beside it: `{name: dali, lam: 1.0}`.

    Attributes:
        from_run: the run that a player comes from, with its averaged weights to start from.
        latent_size: Z, a setting of the run in the generator's section; None takes the data's own.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str | None = None
    from_run: str | None = None
    latent_size: int | None = Field(default=None, ge=1, le=65_536, strict=True)

    @property
    def params(self) -> dict[str, Any]:
        """The component's parameters."""
        return dict(self.model_extra or {})

    @property
    def settings(self) -> dict[str, Any]:
        """What is set beside them."""
        own = {"from_run": self.from_run, "latent_size": self.latent_size}
        return {name: value for name, value in own.items() if value is not None}

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return as_slot(value)

    @model_serializer(mode="wrap")
    def _without_unset(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        unset = {"from_run", "latent_size"} - set(self.settings)
        return {name: value for name, value in handler(self).items() if name not in unset}


class RunConfig(BaseModel):
    """The settings of a run. A name left out is chosen by the method, the data set or the backbone.

    Every section beside these fields is a player's, named as its kind: `game`, `generator` and so on.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Slot] = Field(init=False)

    recipe: str | None = None
    method: Slot = Slot(name=Method.kind.default)
    backbone: str | None = None
    dataset: Slot = Slot(name=Dataset.kind.default)
    from_run: str | None = None
    """The run that all players start from, with its averaged weights; each one's slot names it too."""
    rules: Slot = Slot(name=Rules.kind.default)
    """What makes settings that nobody gave."""
    minutes: float | None = Field(default=None, gt=0, le=1e6, allow_inf_nan=False)
    """In which a training is to be done; it says how many steps there are where nobody does."""
    trainer: dict[str, Any] = {}
    callbacks: dict[str, dict[str, Any] | None] = {
        "progress": {},
        "log": {},
        "evaluation": {},
        "best": {},
        "pictures": {},
        "health": {},
        "checkpoint": {},
    }
    metrics: dict[str, dict[str, Any] | None] = {}
    seed: int = Field(default=0, ge=0, lt=2**32, strict=True)
    device: str = "auto"
    threads: int | None = Field(default=None, ge=1, le=1024, strict=True)
    """CPU threads; None leaves it to torch. Small networks gain nothing from a second one."""

    @property
    def players(self) -> dict[str, Slot]:
        """The players' slots, by kind."""
        return dict(self.model_extra or {})

    @property
    def latent_size(self) -> int | None:
        """Z, once it is known."""
        return self.players.get("generator", Slot()).latent_size


SECTIONS = tuple(RunConfig.model_fields)
"""The sections that are no player's."""


def merge(layers: Iterable[Mapping[str, Any]]) -> RunConfig:
    """The configuration that `layers`, the weakest first, make together.

    Raises:
        UserError: a field is of the wrong type.
    """
    settings: dict[str, Any] = RunConfig().model_dump(exclude_none=True)
    for layer in layers:
        settings = _lay_over(settings, layer)
    try:
        return RunConfig.model_validate(settings)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        # A section beside the fields may be a player's: which kinds there are, the registry knows.
        section = str(fault["loc"][0])
        hint = "" if section in SECTIONS else nearest(section, list(SECTIONS))
        if len(fault["loc"]) == 1 and section not in (*SECTIONS, *PLAYERS):
            raise UserError(
                f"Unknown section '{section}'.{hint} A setting of the trainer stands in its section: "
                f"trainer.{section}"
            ) from None
        raise UserError(
            f"Configuration: {place} = {shortened(repr(fault['input']))}: {fault['msg']}.{hint}"
        ) from None


def unknown_section(name: str, players: Iterable[str]) -> UserError:
    """The error of a section that is neither a field's nor a known player's."""
    known = [*SECTIONS, *players]
    return UserError(f"Unknown section '{name}'.{nearest(name, known)} Sections: {', '.join(known)}")


def _lay_over(base: Mapping[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    result, layer = dict(base), _with_slots(layer)
    if layer.get("backbone", base.get("backbone")) != base.get("backbone"):
        for network in NETWORKS:
            result[network] = _outlive(result.get(network))
    if _renames(result.get("dataset"), layer.get("dataset")):
        result.pop("metrics", None)  # what is measured depends on the data
    for section, value in layer.items():
        below = result.get(section)
        if section == "trainer":
            below = _without_replaced(below, value)
        elif is_slot(section) and _renames(below, value):
            below = _outlive(below)
        result[section] = _deepen(below, value)
    return {section: value for section, value in result.items() if value is not None}


def is_slot(section: str) -> bool:
    """Whether a section holds a component by name."""
    return section in ("method", "dataset", "rules") or section not in SECTIONS


def _with_slots(layer: Mapping[str, Any]) -> dict[str, Any]:
    """The layer with every name that stands alone, an optimizer's too, as a slot."""
    settings = {section: as_slot(value) if is_slot(section) else value for section, value in layer.items()}
    return {**settings, "trainer": _with_optimizers(layer["trainer"])} if "trainer" in layer else settings


def _with_optimizers(trainer: Any) -> Any:
    if not isinstance(trainer, Mapping):
        return trainer
    settings = {key: as_slot(value) if key == "optimizer" else value for key, value in trainer.items()}
    if isinstance(trainer.get("roles"), Mapping):
        settings["roles"] = {role: _with_optimizers(own) for role, own in trainer["roles"].items()}
    return settings


def _without_replaced(below: Any, trainer: Any) -> Any:
    """The trainer's settings below, without those of an optimizer in whose place `trainer` names another."""
    if not isinstance(below, Mapping) or not isinstance(trainer, Mapping):
        return below
    kept = dict(below)
    if _renames(below.get("optimizer"), trainer.get("optimizer"), Optimizer.kind.default):
        del kept["optimizer"]
    if isinstance(below.get("roles"), Mapping) and isinstance(trainer.get("roles"), Mapping):
        over = trainer["roles"]
        kept["roles"] = {role: _without_replaced(own, over.get(role)) for role, own in below["roles"].items()}
    return kept


def _outlive(slot: Any) -> dict[str, Any] | None:
    """What of a slot outlives its component: Z, which is a setting of the run."""
    if isinstance(slot, Mapping) and slot.get("latent_size") is not None:
        return {"latent_size": slot["latent_size"]}
    return None


def _renames(below: Any, value: Any, default: str | None = None) -> bool:
    """Whether `value` names another component than the layer below does, which may leave it at `default`."""
    if not isinstance(value, Mapping) or not isinstance(below, Mapping):
        return False
    return value.get("name") not in (None, below.get("name", default))


def _deepen(below: Any, value: Any) -> Any:
    if not isinstance(value, Mapping) or not isinstance(below, Mapping):
        return value
    return {**below, **{key: _deepen(below.get(key), inner) for key, inner in value.items()}}


def join(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Layers as one, of which none is above another: a name and a parameter in either order mean the same."""
    result: dict[str, Any] = {}
    for layer in layers:
        result = _deepen(result, _with_slots(layer))
    return result
