"""What comes from another run: settings when a configuration is resolved, weights when it is built."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dalikit.assembly.inventory import check_present
from dalikit.assembly.registry import Registry
from dalikit.errors import UnfitError
from dalikit.interfaces import Dataset, DataSpec, Derived, Role
from dalikit.players.trunks import EncoderWithTrunk, Trunk
from dalikit.runs import RunDirectory
from dalikit.runs.config import RunConfig, Slot, merge

Layer = Mapping[str, Any]


def from_run_layer(layers: Sequence[Layer], registry: Registry) -> Layer:
    """The layer below `layers` of the run that they name as `from_run`; nothing where they name none.

    It has that run's method and backbone, its game and the like, and for its networks the run itself.

    Raises:
        UnfitError: the layers name other networks than that run's.
    """
    mine = merge(layers)
    if mine.from_run is None:
        return {}
    run = RunDirectory.open(Path(mine.from_run))
    theirs = run.config
    check_present(run, registry, ("method", *theirs.players))
    known = {kind: slot for kind, slot in theirs.players.items() if kind in registry.players}
    wanted = {kind: mine.players.get(kind, Slot()).name for kind in known if registry.kinds[kind].network}
    named = {"backbone": (mine.backbone, theirs.backbone)}
    named |= {kind: (name, known[kind].name) for kind, name in wanted.items()}
    for what, (name, there) in named.items():
        if name not in (None, there):
            raise UnfitError(f"{what} '{name}' does not go with from_run: run {mine.from_run} has '{there}'")
    players = {}
    for kind, slot in known.items():
        row = registry.kinds[kind]
        source = {"from_run": mine.from_run} if "from_run" in row.settings else {}
        players[kind] = source if row.network else {**slot.model_dump(), **source}
    return {"method": theirs.method.model_dump(), "backbone": theirs.backbone, **players}


def unread(config: RunConfig) -> tuple[str, ...]:
    """The runs that networks are to come from whose settings are not known yet, each once."""
    slots = config.players.values()
    return tuple(dict.fromkeys(s.from_run for s in slots if s.from_run is not None and s.name is None))


def borrow_slots(config: RunConfig) -> tuple[RunConfig, dict[str, Derived]]:
    """The configuration with slots of a trained run's networks as that run had them; what that adds.

    Once: afterwards the run itself is no longer needed. What reads labels there reads them here.

    Raises:
        UnfitError: the run has no such network, or settings contradict it.
    """
    changes: dict[str, Any] = {}
    added: dict[str, Derived] = {}
    for kind, slot in config.players.items():
        if slot.from_run is None or slot.name is not None:
            continue
        theirs = RunDirectory.open(Path(slot.from_run)).config
        changes[kind] = _borrow_slot(kind, slot, theirs.players.get(kind))
        settings = changes[kind].model_dump().items()
        added |= {f"{kind}.{name}": Derived(v, f"as run {slot.from_run} has it") for name, v in settings}
        conditional = bool(theirs.method.params.get("conditional"))
        said = changes.get("method", config.method).params.get("conditional", conditional)
        if said != conditional:
            raise UnfitError(
                f"method.conditional contradicts {kind}.from_run: the networks of {slot.from_run} read "
                f"{'labels' if conditional else 'no labels'}; leave it out"
            )
        changes["method"] = config.method.model_copy(update={"conditional": conditional})
    return config.model_copy(update=changes), added


def _borrow_slot(kind: str, slot: Slot, theirs: Slot | None) -> Slot:
    if theirs is None:
        raise UnfitError(f"{kind}.from_run: run {slot.from_run} has no {kind}")
    there = {**theirs.settings, **theirs.params}
    for key, value in {**slot.settings, **slot.params}.items():
        if key != "from_run" and there.get(key) != value:
            raise UnfitError(
                f"{kind}.{key} = {value!r} does not go with {kind}.from_run: that run has "
                f"{there.get(key)!r}; leave it out"
            )
    return theirs.model_copy(update={"from_run": slot.from_run})


def settle_as_there(sources: Iterable[str], dataset: Dataset) -> dict[str, Derived]:
    """What a data set would settle by its data, as runs of the same data set have it: for one shape."""
    found: dict[str, Derived] = {}
    for source in sources:
        theirs = RunDirectory.open(Path(source)).config.dataset
        if theirs.name == dataset.name:
            there = {name: theirs.params.get(name) for name in dataset.settled}
            found |= {n: Derived(v, f"as run {source} has it") for n, v in there.items() if v is not None}
    return found


def check_sources(sources: Iterable[str], dataset: Dataset, conditional: bool) -> None:
    """Raise `UnfitError` unless networks of these runs take and give such data."""
    for source in sources:
        theirs = RunDirectory.open(Path(source)).facts.data.spec
        if _told(theirs, conditional) != _told(dataset.spec, conditional):
            raise UnfitError(
                f"Networks of run {source} are for data {_told(theirs, conditional)}; those of data set "
                f"'{dataset.name}' are {_told(dataset.spec, conditional)}: make them alike, as dataset.size "
                "and dataset.channels do where a data set takes them, or train without from_run"
            )


def _told(spec: DataSpec, conditional: bool) -> str:
    where = "" if spec.value_range is None else " in [{:g}, {:g}]".format(*spec.value_range)
    classes = f" with {len(spec.classes or ())} classes" if conditional else ""
    return f"of shape {tuple(spec.x_shape)}{where}{classes}"


def borrow_weights(config: RunConfig, roles: Mapping[str, Role], players: Mapping[str, Any]) -> None:
    """Give players whose slots name a run that run's averaged weights.

    Raises:
        UnfitError: they do not fit, or no role takes them.
    """
    for kind, slot in config.players.items():
        if slot.from_run is None:
            continue
        _, weights = RunDirectory.open(Path(slot.from_run)).load_averaged()
        taken = False
        for name in (name for name, role in roles.items() if role.kind == kind):
            own = _below(weights, name)
            if own.keys() != players[name].state_dict().keys():  # another method's, where roles differ
                if roles[name].reads == "z":
                    continue
                own = _below(weights, kind)
            _load(kind, players[name], own, slot.from_run)
            taken = True
        if not taken:
            raise UnfitError(
                f"{kind}.from_run means nothing to method '{config.method.name}', which asks for none"
            )


def _below(weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {n.removeprefix(f"{name}."): t for n, t in weights.items() if n.startswith(f"{name}.")}


def _load(kind: str, player: nn.Module, theirs: dict[str, Tensor], run: str) -> None:
    """Load what a trained run has as `kind`: all of it into a player composed alike, else its trunk."""
    trunk = player if isinstance(player, Trunk) else getattr(player, "trunk", None)
    alike = theirs.keys() == player.state_dict().keys() or isinstance(player, EncoderWithTrunk)
    if not alike and isinstance(trunk, Trunk):
        player = trunk
        for start in ("trunk.", ""):  # a composed discriminator holds a whole one; a plain one is that
            inner = {n.removeprefix(start): t for n, t in theirs.items() if n.startswith(f"{start}trunk.")}
            if inner.keys() == trunk.state_dict().keys():
                theirs = inner
                break
    try:
        player.load_state_dict(theirs)
    except RuntimeError as error:
        raise UnfitError(
            f"{kind}.from_run: the weights of run {run} do not fit: method and posterior ask something else "
            f"of the {kind} here; --set {kind}.from_run=null trains a new one, or keep that run's own of both"
        ) from error
