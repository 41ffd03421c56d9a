"""What a configuration would build: its networks layer by layer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from dalikit.interfaces import Method, Shape


@dataclass(frozen=True)
class Layer:
    """A layer of a player: what it is, the shape it gives for one datum, and its number of parameters.

    `shape` is None where a training never asked it for anything.
    """

    player: str
    name: str
    kind: str
    shape: Shape | None
    parameters: int


def outline(method: Method, train: Callable[[], object]) -> list[Layer]:
    """The layers of each player that has parameters, with what they give while `train` trains it."""
    shapes: dict[nn.Module, Shape] = {}

    def keep(module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor):
            shapes[module] = tuple(output.shape[1:])

    players = [(role, part) for role, part in method.named_children() if list(part.parameters())]
    parts = [(role, name, module) for role, part in players for name, module in _leaves(part)]
    hooks = [module.register_forward_hook(keep) for _, _, module in parts]
    try:
        train()
    finally:
        for hook in hooks:
            hook.remove()
    return [
        Layer(player, name, _kind(module), shapes.get(module), sum(p.numel() for p in module.parameters()))
        for player, name, module in parts
    ]


def _leaves(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Modules that hold no others; one whose weight is made of another (spectral norm) holds none."""
    children = [(n, child) for n, child in module.named_children() if n != "parametrizations"]
    if not children:
        yield name, module
    for child_name, child in children:
        yield from _leaves(child, f"{name}.{child_name}" if name else child_name)


def _kind(module: nn.Module) -> str:
    return type(module).__name__.removeprefix("Parametrized")
