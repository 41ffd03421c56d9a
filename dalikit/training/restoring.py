"""All that a resume must restore, in one place, and whether a state is one that a trainer can go on from.

Every key, shape and type is checked before any is used: nothing below does, and a fused kernel reads past a
moment that is too short.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dalikit.errors import UnfitError
from dalikit.interfaces import TrainingState
from dalikit.randomness import RandomState
from dalikit.training.guard import Guard

if TYPE_CHECKING:
    from dalikit.training.trainer import Trainer

DEVICES = "random/cuda"
"""The start of names that depend on how many devices a machine has."""

MOMENTS = "optimizer/"
"""The start of names of what optimizers keep."""

FREE = ("terms/", "stream/order")
"""The start of names of which there may be any: which losses there are, and the order of an epoch."""


def capture(trainer: Trainer) -> TrainingState:
    """What `restore` goes on from, as copies on the CPU."""
    # Inside `fit` the generators themselves are ahead of what was swapped in.
    random = RandomState.captured() if trainer.fitting else trainer.random
    order, position = trainer.stream.state()
    sums, readers = trainer.terms.state()
    parts: dict[str, Mapping[str, Any]] = {
        "method": trainer.method.state_dict(),
        "average": trainer.inference.state_dict(),
        "random": random.tensors,
        "stream": order,
        "terms": sums,
        **{f"{MOMENTS}{role}": optimizer.state() for role, optimizer in trainer.optimizers.items()},
    }
    scalars = {"step": trainer.step, "images": trainer.images, "python": random.python, "stream": position}
    scalars |= {"rollbacks": trainer.rollbacks, "infinite": list(trainer.infinite), "terms": readers}
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in _joined(parts).items()}
    # Which there are, for a parameter that no loss has reached yet has none.
    moments = sorted(name for name in tensors if name.startswith(MOMENTS))  # an optimizer's own order is any
    scalars |= {"moments": moments, **trainer.watchers.state()}
    return TrainingState(tensors, copy.deepcopy(scalars))  # training goes on in what they are of


def restore(trainer: Trainer, state: TrainingState) -> None:
    """Put back what `capture` gave.

    Raises:
        UnfitError: it is another trainer's: a tensor is missing, of another shape or type, or not finite.
    """
    check_state(trainer, state)
    tensors, scalars = state.tensors, state.scalars
    trainer.method.load_state_dict(_under("method", tensors))
    trainer.inference.load_state_dict(_under("average", tensors))
    trainer.random = RandomState(_under("random", tensors), scalars["python"])
    trainer.stream.load(_under("stream", tensors), scalars["stream"])
    sums = {name: tensor.to(trainer.device) for name, tensor in _under("terms", tensors).items()}
    trainer.terms.load(sums, scalars["terms"])
    for role, optimizer in trainer.optimizers.items():
        optimizer.load(_under(f"{MOMENTS}{role}", tensors))
    trainer.watchers.load(scalars)
    with trainer.random.swapped_in():  # a state that cannot be restored fails here, and not in `fit`
        pass
    trainer.step, trainer.images = int(scalars["step"]), int(scalars["images"])
    trainer.rollbacks, trainer.failed = int(scalars["rollbacks"]), False
    trainer.guard = Guard(trainer.device)  # whatever was not finite was not of this state


def check_state(trainer: Trainer, state: TrainingState) -> None:
    """Raise `UnfitError` unless the trainer can go on from a state."""
    expected = {n: t for n, t in capture(trainer).tensors.items() if not n.startswith(MOMENTS)}
    known = _joined({f"{MOMENTS}{role}": each.expected() for role, each in trainer.optimizers.items()})
    if strange := [name for name in state.scalars["moments"] if name not in known]:
        raise UnfitError(f"{strange[0]} belongs to nothing{_more(strange)}")
    expected |= {name: known[name] for name in state.scalars["moments"]}
    check_tensors(
        *({n: t for n, t in each.items() if not n.startswith(FREE)} for each in (expected, state.tensors))
    )
    position = int(state.scalars["stream"]["position"])
    check_order(state.tensors["stream/order"], position, len(trainer.stream.split))
    check_sums(_under("terms", state.tensors))
    mine = TrainingState(state.tensors, {"infinite": trainer.infinite})
    if (name := mine.nonfinite) is not None:
        raise UnfitError(f"{name} is not finite")


def check_tensors(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raise `UnfitError` unless there are the same names, each with the shape and type that is expected."""
    ours, theirs = ({name for name in each if not name.startswith(DEVICES)} for each in (expected, found))
    if missing := sorted(ours - theirs):
        raise UnfitError(f"{missing[0]} is missing{_more(missing)}")
    if unknown := sorted(theirs - ours):
        raise UnfitError(f"{unknown[0]} belongs to nothing{_more(unknown)}")
    for name in sorted(ours):
        wanted, there = expected[name], found[name]
        if (wanted.shape, wanted.dtype) != (there.shape, there.dtype):
            kinds = [f"{each.dtype} {tuple(each.shape)}" for each in (there, wanted)]
            raise UnfitError("{} is {}; {} is needed".format(name, *kinds))


def check_order(order: Tensor, position: int, count: int) -> None:
    """Raise `UnfitError` unless `order`, int64, counts data of which there are `count`, up to `position`."""
    if order.dtype != torch.int64 or order.dim() != 1:
        raise UnfitError(f"stream/order is {order.dtype} {tuple(order.shape)}; int64 (n,) is needed")
    if not 0 <= position <= len(order) or (
        len(order) and not 0 <= int(order.min()) <= int(order.max()) < count
    ):
        raise UnfitError(f"stream/order, the order of data, is of others than the {count:,} that there are")
    if len(order.unique()) < len(order):
        raise UnfitError("stream/order, the order of data, names some twice")


def check_sums(sums: Mapping[str, Tensor]) -> None:
    """Raise `UnfitError` unless sums of losses are single finite numbers."""
    for name, value in sums.items():
        if value.dim() or not value.is_floating_point() or not bool(value.isfinite()):
            raise UnfitError(f"terms/{name} is no finite number")


def _more(names: Sequence[str]) -> str:
    return f", and {len(names) - 1} more" if names[1:] else ""


def _joined(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{prefix}/{name}": value for prefix, part in parts.items() for name, value in part.items()}


def _under(prefix: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
