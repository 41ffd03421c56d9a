"""What checks are made of."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dalikit.errors import UnfitError
from dalikit.interfaces import DataSpec, Shape
from dalikit.randomness import RandomState

Built = TypeVar("Built")

B, Z = 6, 5
SPECS = (
    DataSpec((2,)),
    DataSpec((1, 8, 8), (-1.0, 1.0)),
    DataSpec((3, 28, 28), (-1.0, 1.0)),
    DataSpec((4, 13, 13), (0.0, 1.0)),
)
"""The data that networks and augmentations are tried on; one that takes none of them fails."""


def on_some_data(check: Callable[[DataSpec], None]) -> None:
    """Run a check on each of `SPECS`; `UnfitError` from all of them fails it."""
    refusals = []
    for spec in SPECS:
        try:
            check(spec)
        except UnfitError as error:
            refusals.append(str(error))
    tried = ", ".join(str(spec.x_shape) for spec in SPECS)
    assert len(refusals) < len(SPECS), (
        f"data of every shape are refused ({'; '.join(refusals)}); of {tried} one at least should be taken"
    )


def build_seeded(build: Callable[[], Built], seed: int = 0) -> Built:
    """What is built under a seed; torch's own random state is left alone."""
    with RandomState.seeded(seed).swapped_in():
        return build()


def check_within(x: Tensor, spec: DataSpec) -> None:
    """Data lie within their value range, where they have one."""
    if spec.value_range is not None:
        (low, high), found = spec.value_range, x.detach()
        assert bool((found >= low).all() and (found <= high).all()), (
            f"data lie between {float(found.min()):.4g} and {float(found.max()):.4g}; they should stay "
            f"within their value range, {low:g} to {high:g}"
        )


def leaf(*shape: int) -> Tensor:
    """Normal numbers of this shape, the same in each call, for gradients to reach."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)), requires_grad=True)


def check_shape(what: str, tensor: Tensor, shape: Shape) -> None:
    """A tensor has this shape."""
    found = tuple(tensor.shape)
    assert found == shape, f"{what} has shape {found}; it should have {shape}"


def check_reaches(what: str, loss: Tensor, **inputs: Tensor) -> None:
    """A loss has a slope, that is finite and not zero, in each of the inputs."""
    assert loss.requires_grad, (
        f"{what} has no slope, for it has no graph; it should have one in {', '.join(inputs)}"
    )
    gradients = torch.autograd.grad(loss.sum(), list(inputs.values()), allow_unused=True, retain_graph=True)
    for name, gradient in zip(inputs, gradients, strict=True):
        assert gradient is not None, f"{what} does not depend on {name}; it should have a slope in it"
        kind = "not finite" if not bool(gradient.isfinite().all()) else "0 everywhere"
        assert bool(gradient.isfinite().all() and gradient.abs().sum() > 0), (
            f"the slope of {what} in {name} is {kind}; it should be finite, and not all of it 0"
        )


def check_uses_all(module: nn.Module, output: Tensor) -> None:
    """An output depends on all of a module's parameters."""
    names, parameters = zip(*module.named_parameters(), strict=True)
    gradients = torch.autograd.grad(output.square().sum(), parameters, allow_unused=True)
    unused = [name for name, gradient in zip(names, gradients, strict=True) if gradient is None]
    assert not unused, f"its output does not depend on {', '.join(unused)}; it should on all its parameters"


def check_saving(build: Callable[[], nn.Module]) -> None:
    """Construction repeats under a seed, and a state dict goes through safetensors and back."""
    one, same, other = build_seeded(build), build_seeded(build), build_seeded(build, seed=1)
    for a, b in zip(one.state_dict().values(), same.state_dict().values(), strict=True):
        assert torch.equal(a, b), (
            "two that are built under one seed differ; construction should draw from torch's generator alone"
        )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_file({name: t.contiguous() for name, t in one.state_dict().items()}, path)
        other.load_state_dict(load_file(path))
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b), "a state dict that was saved loads as another; it should load as it was"
