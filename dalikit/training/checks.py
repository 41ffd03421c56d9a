"""What a method and its data promise, checked where a trainer is made and in its first step."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dalikit.errors import UnfitError
from dalikit.interfaces import Batch, Callback, Dataset, Method, Phase, PhaseLoss, Posterior, Split, describe

if TYPE_CHECKING:
    from dalikit.training.optimization import RoleOptimizer


def check_callbacks(callbacks: Sequence[Callback]) -> None:
    """Raise `UnfitError` unless callbacks have names of their own, by which their states are kept."""
    names = [getattr(callback, "name", None) for callback in callbacks]
    for callback, name in zip(callbacks, names, strict=True):
        if not isinstance(name, str) or names.count(name) > 1:
            raise UnfitError(f"{describe(callback)} ({type(callback).__name__}) needs a name of its own")


def state_of(callback: Callback) -> dict[str, Any]:
    """What a checkpoint keeps of a callback; raises `UnfitError` unless JSON has it."""
    state = callback.state()
    try:
        json.dumps(state)
    except (TypeError, ValueError) as error:
        raise UnfitError(f"The state of {describe(callback)} is not as JSON has it: {error}") from None
    return state


def check_phases(method: Method, phases: Sequence[Phase]) -> None:
    """Raise `UnfitError` unless there are phases, they train players that are there, and none is forgotten.

    A role whose parameters no phase trains must be frozen, which none of its parameters asking for a gradient
    says.
    """
    if not phases:
        raise UnfitError(f"{describe(method)} has no phases: there is nothing to train")
    trained = {role for phase in phases for role in phase.trains}
    players = dict(method.named_children())
    for phase in phases:
        for role in phase.trains:
            if not isinstance(getattr(method, role, None), nn.Module):
                raise UnfitError(
                    f"{describe(method)}: phase '{phase.name}' trains '{role}', which is no module of it"
                )
    for role, player in players.items():
        own = list(player.parameters())
        if role in trained and own and not any(p.requires_grad for p in own):
            raise UnfitError(f"{describe(method)} trains '{role}', which is frozen")
        if role not in trained and any(p.requires_grad for p in own):
            raise UnfitError(
                f"{describe(method)} trains no '{role}', but {describe(player)} has parameters, which would "
                "stay as they were: train them, or freeze them by requires_grad_(False)"
            )


def check_optimizers(method: Method, optimizers: Mapping[str, RoleOptimizer]) -> None:
    """Raise `UnfitError` unless roles whose moments the method reads have the optimizer it needs."""
    for role, needed in method.optimizers.items():
        found = type(optimizers[role].torch) if role in optimizers else needed
        if found is not needed:
            raise UnfitError(
                f"{describe(method)} reads the moments of {needed.__name__}: the optimizer of '{role}' must "
                f"be {needed.__name__.lower()}, not {found.__name__.lower()}"
            )


def check_needs(method: Method) -> None:
    """Raise `UnfitError` unless its posterior's distributions offer what the method needs of them."""
    family = getattr(method, "family", None)
    if not method.needs or not isinstance(family, Posterior):
        return
    with torch.random.fork_rng(), torch.no_grad():  # a trial must not change what is drawn after it
        heads = [method.prior(2).new_zeros(2, size) for size in family.heads()]
        distribution = family(*heads)
        offers: dict[str, Callable[[], Tensor]] = {
            "log_prob": lambda: distribution.log_prob(method.prior(2)),
            "rsample": distribution.rsample,
            "mean": lambda: distribution.mean,
            "stddev": lambda: distribution.stddev,
        }
        for need in method.needs:
            if need not in offers:
                raise UnfitError(
                    f"{describe(method)} needs `{need}`; what can be asked is {', '.join(offers)}"
                )
            try:
                offers[need]()
            except Exception as error:  # whatever a distribution does, it does not do what is asked
                reason = " ".join(f"{type(error).__name__} {error}".split())
                raise UnfitError(
                    f"{describe(method)} needs `{need}` of its posterior's distributions, which "
                    f"{describe(family)} does not offer ({reason})"
                ) from error


def count_classes(split: Split, dataset: Dataset) -> Tensor:
    """How many data of a split bear each label (C,).

    Raises:
        UnfitError: none do, or there are labels of which there is no second datum to learn from.
    """
    try:
        counts = split.class_counts(len(dataset.spec.classes or ()))
    except UnfitError as error:
        raise UnfitError(f"{describe(dataset)}: {error}") from None
    if not counts.any():
        _check_labels(None, dataset)
    if int(counts.sum()) == len(split):  # those of an endless source are proportions
        _check_lone(counts, dataset)
    return counts


def _check_lone(counts: Tensor, dataset: Dataset) -> None:
    """Raise `UnfitError` where a label that there is has one datum to learn from, or none."""
    classes = dataset.spec.classes or ()
    there = counts.clone()
    if not counts.all():
        there += sum(dataset.split(part).class_counts(len(classes)) for part in ("validation", "test"))
    if lone := [name for name, n, of in zip(classes, counts, there, strict=True) if n < 2 and of > 0]:
        raise UnfitError(
            f"method.conditional=true: {describe(dataset)} has fewer than 2 data to learn class '{lone[0]}' "
            f"from{f', and {len(lone) - 1} more such classes' if lone[1:] else ''}"
        )


def check_batch(batch: Batch, dataset: Dataset, method: Method) -> None:
    """Raise `UnfitError` unless a batch has the data set's shape, range and labels."""
    x, spec = batch.x, dataset.spec
    if tuple(x.shape[1:]) != tuple(spec.x_shape):
        raise UnfitError(f"{describe(dataset)} gives {tuple(x.shape[1:])}, it says {spec.x_shape}")
    if not x.is_floating_point() or not x.isfinite().all():
        raise UnfitError(f"{describe(dataset)} gives {x.dtype}, or values that are not finite")
    if spec.value_range is not None:
        low, high = spec.value_range
        if x.min() < low - 1e-3 or x.max() > high + 1e-3:
            raise UnfitError(
                f"{describe(dataset)} gives values from {x.min():.3g} to {x.max():.3g}, outside its "
                f"value_range [{low:g}, {high:g}]: its `scale` does not fit"
            )
    if method.conditional:
        _check_labels(batch.y, dataset)


def _check_labels(y: Tensor | None, dataset: Dataset) -> None:
    classes = len(dataset.spec.classes or ())
    if y is None or not classes:
        raise UnfitError(f"method.conditional=true needs data with labels, and {describe(dataset)} has none")
    if y.dtype != torch.int64 or y.dim() != 1:
        raise UnfitError(f"{describe(dataset)} gives labels {y.dtype} {tuple(y.shape)}; int64 (n,) is needed")
    if int(y.min()) < 0 or int(y.max()) >= classes:
        raise UnfitError(f"{describe(dataset)} gives labels {int(y.min())} to {int(y.max())} of {classes}")


def check_loss(method: Method, phase: Phase, loss: PhaseLoss, parameters: Sequence[nn.Parameter]) -> None:
    """Raise `UnfitError` unless a phase's total is a scalar with a gradient for what it trains."""
    if not isinstance(loss, PhaseLoss):
        raise UnfitError(
            f"{describe(method)}: phase '{phase.name}' gives {type(loss).__name__}, no PhaseLoss"
        )
    total = loss.total
    if total.dim() or not total.requires_grad:
        shape = f"shape {tuple(total.shape)}" if total.dim() else "no gradient"
        raise UnfitError(
            f"{describe(method)}: the loss of phase '{phase.name}' has {shape}; a scalar with one is needed"
        )
    if not parameters:
        raise UnfitError(f"{describe(method)}: phase '{phase.name}' trains roles without parameters")


def check_reached(method: Method, phase: Phase, optimizers: Mapping[str, RoleOptimizer]) -> None:
    """Raise `UnfitError` unless a phase's loss has given every role that it trains a gradient."""
    for role in phase.trains:
        if role in optimizers and all(p.grad is None for p in optimizers[role].parameters):
            raise UnfitError(
                f"{describe(method)}: the loss of phase '{phase.name}' has no gradient for '{role}' "
                f"({describe(method.player(role))}), which it trains"
            )
