"""From a configuration and a registry to a trainer: the only place that knows both sides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from dalikit.assembly import trial
from dalikit.assembly.parameters import validated
from dalikit.assembly.registry import Registry
from dalikit.assembly.resolve import parameters_of
from dalikit.errors import DalikitError, UnfitError, UserError
from dalikit.interfaces import Callback, Dataset, Method, Metric, Range, Role, Shape
from dalikit.players.composed import (
    CodeDiscriminator,
    EncoderWithTrunk,
    JointDiscriminator,
    PairDiscriminator,
)
from dalikit.randomness import RandomState, derived_seed
from dalikit.runs import Context, RunDirectory
from dalikit.runs.config import GeneratorSlot, NetworkSlot, RunConfig, Slot
from dalikit.training import Trainer


@dataclass(frozen=True)
class DataShape:
    """What networks must know of the data: the shape of one datum and the range of its values."""

    x_shape: Shape
    value_range: Range | None


def make_dataset(slot: Slot, registry: Registry) -> Dataset:
    """The data set of a configuration; reads no data yet."""
    return _construct("dataset", slot, registry)


def make_metrics(
    settings: Mapping[str, Mapping[str, Any] | None], dataset: Dataset, registry: Registry
) -> dict[str, Callable[[], Metric]]:
    """For each metric that is not None its constructor, with its parameters and those left out by default."""
    return {
        name: partial(_construct, "metric", Slot(name=name, **params), registry, dataset)
        for name, params in settings.items()
        if params is not None
    }


def make_method(config: RunConfig, data: DataShape, registry: Registry, *, borrow: bool = True) -> Method:
    """The method of a resolved configuration, with new weights under its seed, on the CPU.

    Networks that come from another run (`from_run`) start with that one's weights, unless `borrow` is false:
    a checkpoint of this run will bring its own.

    Raises:
        UnfitError: a role is missing, or shapes do not fit; nothing has been read or trained yet.
    """
    cls = registry.get("method", str(config.method.name))
    roles: dict[str, Role] = cls.roles(**config.method.params)
    with RandomState.seeded(derived_seed(config.seed, "weights")).swapped_in():
        players = _Players(config, data, roles, registry, borrow)
        return cls(
            *[players.made(role) for role in roles], **parameters_of("method", config.method, registry)
        )


def make_trainer(config: RunConfig, registry: Registry, run: RunDirectory, *, borrow: bool = True) -> Trainer:
    """The trainer of a resolved configuration, writing into `run`; for `borrow` see `make_method`.

    Raises:
        UserError: the device is not there, or components do not fit.
    """
    dataset = make_dataset(config.dataset, registry)
    data = DataShape(dataset.x_shape, dataset.value_range)
    method = make_method(config, data, registry, borrow=borrow)
    metrics = make_metrics(config.metrics, dataset, registry)
    for make in metrics.values():
        make()  # one that does not fit is to fail before anything is written
    context = Context(run, dataset, metrics)
    callbacks: list[Callback] = [
        _construct("callback", Slot(name=name, **params), registry, context)
        for name, params in config.callbacks.items()
        if params is not None
    ]
    options = validated(Trainer, "trainer", config.trainer)
    return Trainer(method.to(device(config.device)), dataset, callbacks, config.seed, **options)


def device(name: str) -> torch.device:
    """The device that `name` means; "auto" is a CUDA device where there is one.

    Raises:
        UserError: torch knows no such device, or it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
        torch.zeros(1, device=found).item()  # the meta device fails at the value alone
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"Device '{name}' cannot be used: {str(error).splitlines()[0][:120]}") from None
    return found


class _Players:
    """The players of a method, each made when it is first asked for."""

    def __init__(
        self,
        config: RunConfig,
        data: DataShape,
        roles: Mapping[str, Role],
        registry: Registry,
        borrow: bool,
    ) -> None:
        self.config = config
        self.data = data
        self.roles = roles
        self.registry = registry
        self.borrow = borrow
        self.latent_size = _latent_size(config.generator)
        self._made: dict[str, Any] = {}

    def made(self, role: str) -> Any:
        """The player of `role`."""
        if role not in self._made:
            self._check_frozen(role)
            self._made[role] = getattr(self, f"_{self.roles[role].kind}")(self.roles[role])
        return self._made[role]

    def _generator(self, role: Role) -> Any:
        generator = self._new("generator", self.latent_size, self.data.x_shape, self.data.value_range)
        self._borrowing("generator", generator)
        trial.check_generator(generator, self.data.x_shape)
        return generator

    def _discriminator(self, role: Role) -> Any:
        if role.on == "z":
            return CodeDiscriminator(self.latent_size)
        discriminator = self._borrowing("discriminator", self._trunk())
        if role.on == "xz":
            return JointDiscriminator(discriminator, self.data.x_shape, self.latent_size)
        return PairDiscriminator(discriminator) if role.on == "xx" else discriminator

    def _trunk(self) -> Any:
        """A new discriminator on data."""
        discriminator = self._new("discriminator", self.data.x_shape)
        trial.check_discriminator(discriminator, self.data.x_shape)
        return discriminator

    def _encoder(self, role: Role) -> Any:
        posterior = self._of_kind("posterior", "the encoder's heads")
        trunk = self._shared_trunk() if role.on == "h" else self._trunk()
        encoder = self._borrowing("encoder", self._new("encoder", trunk.feature_shape, posterior.heads()))
        trial.check_encoder(encoder, posterior, trunk.feature_shape, self.latent_size)
        return encoder if role.on == "h" else EncoderWithTrunk(trunk, encoder)

    def _posterior(self, role: Role) -> Any:
        return self._new("posterior", self.latent_size)

    def _game(self, role: Role) -> Any:
        return self._new("game")

    def _new(self, kind: str, *supplied: Any) -> Any:
        return _construct(kind, getattr(self.config, kind), self.registry, *supplied)

    def _borrowing(self, kind: str, player: Any) -> Any:
        """The player, with the weights of another run's where the configuration names one."""
        slot = getattr(self.config, kind)
        if self.borrow and isinstance(slot, NetworkSlot) and slot.from_run is not None:
            _borrow(kind, player, Path(slot.from_run))
        return player

    def _check_frozen(self, role: str) -> None:
        kind = self.roles[role].kind
        slot = getattr(self.config, kind)
        if self.roles[role].frozen and not (isinstance(slot, NetworkSlot) and slot.from_run):
            raise UnfitError(
                f"Method '{self.config.method.name}' needs a trained {kind}: --set {kind}.from_run=RUN names "
                "the run it comes from"
            )

    def _shared_trunk(self) -> Any:
        """The discriminator whose features the encoder reads: the first one that reads data alone."""
        for name, role in self.roles.items():
            if (role.kind, role.on) == ("discriminator", "x"):
                return self.made(name)
        raise UnfitError(
            f"Method '{self.config.method.name}' asks for no discriminator on data whose features "
            "its encoder could read"
        )

    def _of_kind(self, kind: str, user: str) -> Any:
        for name, role in self.roles.items():
            if role.kind == kind:
                return self.made(name)
        raise UnfitError(f"Method '{self.config.method.name}' asks for no {kind}, needed by {user}")


def _construct(kind: str, slot: Slot, registry: Registry, *supplied: Any) -> Any:
    row = registry.row(kind, str(slot.name))
    params = parameters_of(kind, slot, registry)
    try:
        return row.component(*supplied, **params)
    except DalikitError:
        raise
    except Exception as error:  # whatever a component's constructor does, the culprit is named
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UnfitError(f"{kind} '{slot.name}' of {row.source} cannot be built: {reason}") from error


def _borrow(kind: str, player: torch.nn.Module, run: Path) -> None:
    """Give a network the averaged weights of the one that a trained run has as `kind`."""
    _, weights = RunDirectory.open(run).load_averaged()
    start = f"{kind}."
    own = {n.removeprefix(start): t for n, t in weights.items() if n.startswith(start)}
    try:
        player.load_state_dict(own)
    except RuntimeError as error:
        message = " ".join(str(error).split())[:200]
        raise UnfitError(f"{kind}.from_run: the weights of run {run} do not fit: {message}") from None


def _latent_size(slot: GeneratorSlot | None) -> int:
    if slot is None or slot.latent_size is None:
        raise UnfitError("generator.latent_size is not set; resolve the configuration first")
    return slot.latent_size
