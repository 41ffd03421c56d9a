"""What is exported of a method: its generator, its encoder, and both together, with inputs and outputs named.

Symbols: B data, X the shape of one, Z the size of a code.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from dalikit.errors import UserError
from dalikit.evaluation.scoring import dtype_of
from dalikit.inference import moments
from dalikit.interfaces import Method

PartName = Literal["generator", "encoder", "both"]


@dataclass(frozen=True)
class Port:
    """An input or an output of a part: a name, and the shape and type of one datum's; the batch goes before.

    `means` says in a few words what it is.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    means: str


MEANS = {
    "z": "a code; draws from N(0, 1) make samples",
    "x": "a datum",
    "label": "the index of a label",
    "code": "the code of x that the generator rebuilds it from",
    "mean": "the mean of the posterior q(z|x)",
    "stddev": "the standard deviation of q(z|x)",
    "reconstruction": "what the generator makes of the code",
}


class Part(nn.Module):
    """A part of a method in use: tensors in, tensors by name out.

    Labels (B,) are its second input where the method is conditional.

    Args:
        method: whose part it is.
        moments: the names of what its posterior has by a formula, besides a code.

    Attributes:
        inputs: what it takes, in order.
        outputs: what it gives, in order.
    """

    name: ClassVar[PartName]
    reads: ClassVar[str]

    def __init__(self, method: Method, moments: Sequence[str] = ()) -> None:
        super().__init__()
        self.method = method
        self.spec = method.spec
        self.moments = tuple(moments)
        label = Port("label", (), "int64", MEANS["label"])
        self.inputs = (_port(method, self.reads), *([label] if method.conditional else []))
        self.outputs = tuple(_port(method, name) for name in self.gives())

    def gives(self) -> tuple[str, ...]:
        """The names of what it gives, in order."""
        raise NotImplementedError


class GeneratorPart(Part):
    """z (B, Z) to x (B, *X)."""

    name: ClassVar[PartName] = "generator"
    reads = "z"

    def gives(self) -> tuple[str, ...]:
        """x."""
        return ("x",)

    def forward(self, z: Tensor, label: Tensor | None = None) -> dict[str, Tensor]:
        """`x` (B, *X) of z (B, Z), and labels (B,)."""
        return {"x": self.method.generate(z, label)}


class EncoderPart(Part):
    """x (B, *X) to its code (B, Z), and to the posterior's mean and standard deviation where it has them."""

    name: ClassVar[PartName] = "encoder"
    reads = "x"

    def gives(self) -> tuple[str, ...]:
        """The code and the moments."""
        return ("code", *self.moments)

    def forward(self, x: Tensor, label: Tensor | None = None) -> dict[str, Tensor]:
        """`code` of x (B, *X), and labels (B,); `mean` and `stddev` as `moments` says; all (B, Z)."""
        if not self.moments:
            return {"code": self.method.code(x, label)}
        posterior = self.method.posterior(x, label)
        with _inferring(self.method, posterior):
            code = self.method.code(x, label)
        return {"code": code, **{name: getattr(posterior, name) for name in self.moments}}


class BothPart(EncoderPart):
    """x (B, *X) to all that the encoder gives, and to the reconstruction (B, *X)."""

    name: ClassVar[PartName] = "both"

    def gives(self) -> tuple[str, ...]:
        """What the encoder gives, and the reconstruction."""
        return (*super().gives(), "reconstruction")

    def forward(self, x: Tensor, label: Tensor | None = None) -> dict[str, Tensor]:
        """As the encoder's, and `reconstruction` (B, *X)."""
        found = super().forward(x, label)
        return {**found, "reconstruction": self.method.generate(found["code"], label)}


PARTS: dict[PartName, type[Part]] = {cls.name: cls for cls in (GeneratorPart, EncoderPart, BothPart)}


def names_of(method: Method) -> tuple[PartName, ...]:
    """The parts that a method has."""
    return ("generator", "encoder", "both") if method.infers else ("generator",)


def part_of(method: Method, name: PartName) -> Part:
    """A part of a method, on the CPU, in eval mode and without what it does not call; `method` stays as is.

    Raises:
        UserError: the method has no such part, or one that draws, so that no two calls are alike.
    """
    if name not in names_of(method):
        raise UserError(
            f"Method '{method.name}' has no encoder: the generator is all that can be exported of it"
        )
    own, cls = copy.deepcopy(method).cpu().eval().requires_grad_(False), PARTS[name]
    part = cls(own, _repeated_moments(cls(own)) if cls.reads == "x" else ())
    _strip(part.method, _called(part, lambda: _check_repeats(part)))
    return part


def examples(part: Part, n: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Inputs of a part for n data: codes of the prior, or noise over the data's range; labels in turn.

    torch's random state is left alone.
    """
    rng, (first, *labels) = torch.Generator().manual_seed(seed), part.inputs
    shape, bounds = (n, *first.shape), part.spec.value_range
    if first.name == "z" or bounds is None:
        read = torch.randn(shape, generator=rng)
    else:
        read = bounds[0] + (bounds[1] - bounds[0]) * torch.rand(shape, generator=rng)
    return (read.to(dtype_of(part.method)), *(torch.arange(n) % len(part.spec.classes or ()) for _ in labels))


@contextmanager
def _inferring(method: Method, posterior: Distribution) -> Iterator[None]:
    """Whoever asks the method for q(z|x) inside is given this one: so a graph has one pass of the encoder."""
    vars(method)["posterior"] = lambda *_: posterior
    try:
        yield
    finally:
        del vars(method)["posterior"]


def _port(method: Method, name: str) -> Port:
    """A port of data, or of codes."""
    of_data = name in ("x", "reconstruction")
    shape = tuple(method.spec.x_shape) if of_data else (method.latent_size,)
    return Port(name, shape, str(dtype_of(method)).removeprefix("torch."), MEANS[name])


def _repeated_moments(part: Part) -> tuple[str, ...]:
    """Mean and standard deviation, but where they are estimates of draws, or there are none."""
    given = examples(part, 2)
    first, second = (moments(part.method.posterior(*given)) for _ in range(2))
    return tuple(name for name in first if torch.equal(first[name], second[name]))


def _check_repeats(part: Part) -> None:
    given = examples(part, 2)
    first, second = part(*given), part(*given)
    if drawn := [name for name in first if not torch.equal(first[name], second[name])]:
        raise UserError(
            f"Method '{part.method.name}' draws its {drawn[0]}, so that no two calls are alike: the "
            f"{part.name} cannot be exported"
        )


def _called(part: Part, run: Callable[[], Any]) -> set[nn.Module]:
    """The modules that a run calls."""
    found: set[nn.Module] = set()
    hooks = [m.register_forward_pre_hook(lambda module, _: found.add(module)) for m in part.modules()]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _strip(module: nn.Module, called: set[nn.Module]) -> None:
    """Take the tensors out of modules below that are not called, nor within one that is, nor hold one.

    The modules themselves stay: a method may ask its generator for Z where it generates nothing.
    """
    for child in module.children():
        if child in called:
            continue
        if not called.isdisjoint(child.modules()):
            _strip(child, called)
            continue
        for unused in child.modules():
            unused._parameters.clear()
            unused._buffers.clear()
