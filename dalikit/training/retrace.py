"""Where a loss or a gradient that is not finite began: a phase run once more, operation by operation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dalikit.interfaces import Batch, Iteration, Phase, PhaseLoss, describe
from dalikit.interfaces.blaming import Suspects, frames_here, frames_of

if TYPE_CHECKING:
    from dalikit.training.trainer import Trainer

Loss = Callable[[Iteration], PhaseLoss]


class Watch(TorchFunctionMode):
    """Remembers of every tensor that is not finite whose operation it began in, and who made each gradient.

    What an operation makes finite again, as `where` does, is forgotten: only what remains is anybody's fault.
    """

    def __init__(self, suspects: Suspects) -> None:
        super().__init__()
        self.suspects = suspects
        self._began: dict[int, object] = {}
        self._nodes: dict[Any, object] = {}
        self._kept: list[Tensor] = []  # so that no other tensor takes the place of one that is gone

    def __torch_function__(
        self, function: Any, types: Any, arguments: Sequence[Any] = (), named: Mapping[str, Any] | None = None
    ) -> Any:
        """Let the operation be done, and look at what it gave."""
        given = [self._began[id(t)] for t in _tensors((arguments, named)) if id(t) in self._began]
        found = function(*arguments, **(named or {}))
        here = None
        for tensor in _tensors(found):
            wrong = tensor.is_floating_point() and not bool(tensor.detach().isfinite().all())
            if wrong or tensor.grad_fn is not None:
                here = here or self.suspects.culprit(frames_here(sys._getframe(1)))
                self._kept.append(tensor)
            if wrong:
                self._began[id(tensor)] = given[0] if given else here
            else:  # as what an operation in place has mended
                self._began.pop(id(tensor), None)
            if tensor.grad_fn is not None:
                self._nodes.setdefault(tensor.grad_fn, here)
        return found

    def began(self, tensor: Tensor) -> object | None:
        """Whose operation made a tensor not finite; None of one that is finite, or that nobody made so."""
        return self._began.get(id(tensor))

    def began_backward(self, total: Tensor, parameters: Sequence[nn.Parameter]) -> object | None:
        """Whose operation has a gradient that is not finite where that of its result is; None of nobody's."""
        found: list[object] = []
        for node, owner in _with_owners(total.grad_fn, self._nodes).items():
            node.register_hook(_first_wrong(owner, found))
        torch.autograd.grad(total, parameters, allow_unused=True)
        return found[0] if found else None


def told(
    trainer: Trainer, phase: Phase, iteration: Iteration | None = None, drawn: Tensor | None = None
) -> str:
    """In which component what is not finite began, for the end of a sentence; "" where nobody can say.

    The phase is run once more, on another draw where its `iteration` is gone, so it may be finite then: those
    of its components that came from plugins are named in that case.

    Args:
        trainer: which has just seen it, and has not stepped since.
        phase: whose loss or gradient it is.
        iteration: which it was seen in.
        drawn: the state of torch's generator before the loss was computed.
    """
    last = trainer.draw() if iteration is None else iteration
    if before := _before(trainer, last):
        return f", where {before}"
    again = Iteration(trainer.method.generate, Batch(last.real, last.labels), last.z)
    losses = [phase.due(trainer.step)] if iteration is not None else [phase.penalised, phase.loss]
    with torch.random.fork_rng(devices=[]):
        if drawn is not None:
            torch.set_rng_state(drawn)
        for loss in filter(None, losses):
            owner = _culprit(loss, again, trainer.parameters(phase), trainer.suspects)
            if owner is not None:
                return f", where {describe(owner)} began it"
    plugins = [describe(each) for each in trainer.suspects.of_plugins()]
    return f"; plugins have a part in it: {', '.join(plugins)}" if plugins else ""


def _before(trainer: Trainer, iteration: Iteration) -> str:
    """What was not finite before the phase began, and whose work that is; "" where all was."""
    if not bool(iteration.real.isfinite().all()):
        return f"{describe(trainer.dataset)} gave data that are not finite"
    for role, optimizer in trainer.optimizers.items():
        named = trainer.method.player(role).named_parameters()
        weights = [p for name, p in named if f"{role}.{name}" not in trainer.infinite]
        if not all(bool(weight.isfinite().all()) for weight in weights):
            callbacks = map(describe, Suspects(*trainer.watchers.callbacks).of_plugins())
            who = " or ".join([describe(optimizer.optimizer), *callbacks])  # who can reach them between steps
            return f"{who} had left weights of '{role}' that are not finite"
    return ""


def _culprit(
    loss: Loss, iteration: Iteration, trained: Sequence[nn.Parameter], suspects: Suspects
) -> object | None:
    """The component that makes a loss, or a gradient of it, not finite; None where it is finite now."""
    watch = Watch(suspects)
    try:
        with watch:
            total = loss(iteration).total
        if not bool(total.detach().isfinite()):
            return watch.began(total)
        return watch.began_backward(total, trained)
    except Exception as error:  # whoever fails where the same went through before is at fault too
        return suspects.culprit(frames_of(error))


def _first_wrong(owner: object, found: list[object]) -> Callable[[Any, Any], None]:
    """A hook that takes down the owner of the first node which makes a gradient not finite."""

    def look(inputs: Sequence[Tensor | None], outputs: Sequence[Tensor | None]) -> None:
        if not found and _finite(outputs) and not _finite(inputs):
            found.append(owner)

    return look


def _finite(gradients: Sequence[Tensor | None]) -> bool:
    return all(bool(each.isfinite().all()) for each in gradients if each is not None)


def _with_owners(last: Any, known: Mapping[Any, object]) -> dict[Any, object]:
    """Every node of a graph with its owner; what an operation is made of is the operation's."""
    found: dict[Any, object] = {}
    waiting: list[tuple[Any, object]] = [(last, None)]
    while waiting:
        node, above = waiting.pop()
        if node is None or node in found:
            continue
        found[node] = known.get(node, above)
        waiting += [(following, found[node]) for following, _ in node.next_functions]
    return {node: owner for node, owner in found.items() if owner is not None}


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in what an operation takes or gives."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)
