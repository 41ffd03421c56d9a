"""From a resolved configuration and a registry to a trainer: the only place that knows both sides."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dalikit.assembly.borrowing import borrow_weights
from dalikit.assembly.devices import find_device
from dalikit.assembly.inventory import components_of
from dalikit.assembly.parameters import supplied_to
from dalikit.assembly.registry import Registry
from dalikit.assembly.trial import try_player, try_posterior
from dalikit.errors import DalikitError, UnfitError
from dalikit.evaluation.scoring import Maker
from dalikit.interfaces import Callback, Dataset, DataSpec, Method, Metric, Optimizer, Part, Role, describe
from dalikit.players.casting import Cast
from dalikit.randomness import RandomState, derived_seed
from dalikit.runs import Context, RunDirectory
from dalikit.runs.config import RunConfig, Slot
from dalikit.training.optimization import Optimization
from dalikit.training.trainer import Trainer


def make_dataset(config: RunConfig, registry: Registry, root: Path | None = None) -> Dataset:
    """The data set of a configuration, whose files lie under `root`; reads no data yet."""
    return _construct("dataset", config.dataset, registry, root=root)


def make_metrics(
    settings: Mapping[str, Mapping[str, Any] | None],
    dataset: Dataset,
    registry: Registry,
    root: Path | None = None,
) -> dict[str, Maker]:
    """For each metric that is not None what makes a new one of a part of the data set."""

    def make(slot: Slot, part: Part) -> Metric:
        metric: Metric = _construct("metric", slot, registry, dataset=dataset, part=part, root=root)
        if not hasattr(metric, "dataset"):
            metric.dataset = dataset
        return metric

    return {
        name: partial(make, Slot(name=name, **params))
        for name, params in settings.items()
        if params is not None
    }


def make_method(config: RunConfig, spec: DataSpec, registry: Registry, *, borrow: bool = True) -> Method:
    """The method of a resolved configuration, with new weights under its seed, on the CPU.

    Players that come from another run (`from_run`) start with that one's weights, unless `borrow` is false:
    a checkpoint of this run will bring its own.

    Raises:
        UnfitError: a role is missing, or players do not fit; nothing has been read or trained yet.
    """
    cls, params = registry.get("method", str(config.method.name)), config.method.params
    roles: dict[str, Role] = cls.roles(**params)
    if params.get("conditional") and not spec.classes:
        raise UnfitError(
            f"method '{cls.name}': conditional=true needs labels, and data set '{config.dataset.name}' has "
            "none"
        )
    _check_frozen(config, roles)
    with RandomState.seeded(derived_seed(config.seed, "weights")).swapped_in():
        new = partial(_new_player, config, registry)
        latent_size = config.latent_size
        if latent_size is None:
            raise UnfitError("generator.latent_size is not set; resolve the configuration first")
        conditional = bool(params.get("conditional"))
        cast = Cast(roles, spec, latent_size, new, conditional=conditional, asked_by=describe(cls))
        players = _name_errors(cls, cast.players)
        for name, role in roles.items():
            if role.kind == "posterior":
                try_posterior(players[name], latent_size)
        if borrow:
            borrow_weights(config, roles, players)
        return _name_errors(cls, lambda: cls(**players, **params))


def make_trainer(
    config: RunConfig, registry: Registry, run: RunDirectory, root: Path | None = None, *, borrow: bool = True
) -> Trainer:
    """The trainer of a resolved configuration, writing into `run`; for `borrow` see `make_method`.

    Raises:
        UserError: the device is not there, or components do not fit.
    """
    dataset = make_dataset(config, registry, root)
    metrics = make_metrics(config.metrics, dataset, registry, root)
    for make in metrics.values():
        make("validation")  # one that does not fit is to fail before anything is written
    context = Context(run, dataset, metrics, components_of(config, registry))
    callbacks = [
        _construct("callback", Slot(name=name, **params), registry, context=context)
        for name, params in config.callbacks.items()
        if params is not None
    ]
    return watched_trainer(config, registry, dataset, callbacks, borrow=borrow)


def watched_trainer(
    config: RunConfig,
    registry: Registry,
    dataset: Dataset,
    callbacks: Sequence[Callback],
    *,
    borrow: bool = True,
) -> Trainer:
    """The trainer of a resolved configuration on its data set, watched by these; raises as `make_trainer`."""
    method = make_method(config, dataset.spec, registry, borrow=borrow).to(find_device(config.device))
    make_optimizer = partial(_make_optimizer, registry)
    return Trainer(method, dataset, callbacks, config.seed, make_optimizer, **config.trainer)


def _new_player(config: RunConfig, registry: Registry, kind: str, **supplied: Any) -> Any:
    slot = config.players.get(kind)
    if slot is None:
        raise UnfitError(f"No {kind} is configured, and method '{config.method.name}' needs one")
    player = _construct(kind, slot, registry, **supplied)
    try_player(player, supplied)
    return player


def _construct(kind: str, slot: Slot, registry: Registry, **available: Any) -> Any:
    row = registry.row(kind, str(slot.name))
    cls = row.component
    supplied = [available.get(name) for name in cls.kind.supplied[: supplied_to(cls)]]
    try:
        return cls(*supplied, **slot.params)
    except DalikitError:
        raise
    except (Exception, SystemExit) as error:  # whatever a component's constructor does, the culprit is named
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UnfitError(f"{kind} '{slot.name}' of {row.source} cannot be built: {reason}") from error


def _make_optimizer(registry: Registry, settings: Optimization) -> Optimizer:
    return _construct("optimizer", Slot(**settings.optimizer), registry)


def _name_errors(cls: type[Method], make: Any) -> Any:
    """What is made, or the method named that it cannot be made for."""
    try:
        return make()
    except DalikitError:
        raise
    except (Exception, SystemExit) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UnfitError(f"{describe(cls)} cannot be built: {reason}") from error


def _check_frozen(config: RunConfig, roles: Mapping[str, Role]) -> None:
    for role in roles.values():
        if role.frozen and not config.players.get(role.kind, Slot()).from_run:
            raise UnfitError(
                f"Method '{config.method.name}' needs a trained {role.kind}: --set {role.kind}.from_run=RUN "
                "names the run it comes from"
            )
