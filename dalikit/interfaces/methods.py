"""A paper's objective: the players it needs, and the phases of its iteration."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from dalikit.errors import UnfitError
from dalikit.interfaces.players import Encoder, Generator, Posterior


@dataclass(frozen=True)
class Role:
    """A player that a method needs: the component's kind, and what it reads.

    `on` is "x" for data, "z" for codes, "h" for the features of the first discriminator on data among the
    roles, "xz" for data and code together (`compose.JointDiscriminator`), and "xx" for two data
    (`compose.PairDiscriminator`). A discriminator on codes is a `compose.CodeDiscriminator`.
    """

    kind: Literal["generator", "discriminator", "encoder", "posterior", "game"]
    on: Literal["x", "z", "h", "xz", "xx"] = "x"
    frozen: bool = False
    """Whether it comes trained from another run (`generator.from_run`) and is never trained here."""


@dataclass(frozen=True)
class PhaseLoss:
    """What a phase minimises: `total`, a scalar with its graph, and `terms`, detached scalars to log."""

    total: Tensor
    terms: Mapping[str, Tensor]


class Iteration:
    """What the phases of one iteration share: `real` (B, *X), `z` (B, Z), and x̃ = G(z), made once.

    `step` counts iterations from 0, and `progress` is the share of training that is done. `shared` says
    whether a later phase will use x̃ as well: if none does, no graph is kept for `fake_detached`.
    """

    def __init__(
        self,
        generate: Callable[[Tensor], Tensor],
        real: Tensor,
        z: Tensor,
        step: int = 0,
        progress: float = 0.0,
    ) -> None:
        self.real = real
        self.z = z
        self.step = step
        self.progress = progress
        self.shared = True
        self._generate = generate
        self._fake: Tensor | None = None
        self._graphless: Tensor | None = None

    @property
    def fake(self) -> Tensor:
        """x̃ = G(z) (B, *X) with its graph, computed at the first request."""
        if self._fake is None:
            self._fake = self._generate(self.z)
        return self._fake

    @property
    def fake_detached(self) -> Tensor:
        """x̃ (B, *X) without a graph, from the shared one where there will be one."""
        if self.shared or self._fake is not None:
            return self.fake.detach()
        if self._graphless is None:
            with torch.no_grad():
                self._graphless = self._generate(self.z)
        return self._graphless

    def forget_fake(self) -> None:
        """Drop x̃, because G has changed or its graph is used up; it is made again from the same z."""
        self._fake = self._graphless = None


@dataclass(frozen=True)
class Phase:
    """One step of an iteration: whose parameters `loss` trains, and how often.

    Attributes:
        name: what logs and errors call it.
        trains: names of roles; nothing else gets a gradient.
        loss: takes the `Iteration`, returns a `PhaseLoss`.
        every: run in every n-th iteration only.
        repeats: optimizer steps in one iteration, each on a fresh draw.
        after: called once after each step, e.g. a game's `project`.
    """

    name: str
    trains: tuple[str, ...]
    loss: Callable[[Iteration], PhaseLoss]
    every: int = 1
    repeats: int = 1
    after: Callable[[], None] | None = None


class Method(nn.Module, ABC):
    """A paper's objective: it holds its players, each as the attribute that its role is named after.

    Built as `cls(*players)`, the players in the order of `roles`.
    """

    name: ClassVar[str]
    infers: ClassVar[bool] = False
    """Whether it has a posterior q(z|x)."""

    generator: Generator

    @classmethod
    @abstractmethod
    def roles(cls, **params: Any) -> dict[str, Role]:
        """The players it needs, by role; `params` are all its settings, defaults included."""

    @abstractmethod
    def phases(self) -> Sequence[Phase]:
        """The phases of one iteration, in order."""

    def player(self, role: str) -> nn.Module:
        """The module that plays `role`."""
        return getattr(self, role)

    def prior(self, n: int) -> Tensor:
        """Draw z (n, Z) from p(z) = N(0, I), on the device and in the precision of the generator."""
        reference = next(self.generator.parameters())
        return torch.randn(n, self.generator.latent_size, device=reference.device, dtype=reference.dtype)

    def generate(self, z: Tensor) -> Tensor:
        """Map z (B, Z) to x (B, *X)."""
        return self.generator(z)

    def posterior(self, x: Tensor) -> Distribution:
        """q(z|x) for x (B, *X).

        Raises:
            UnfitError: the method has no encoder.
        """
        raise UnfitError(f"Method '{self.name}' has no encoder, so it cannot infer codes; 'dali' can.")

    def code(self, x: Tensor) -> Tensor:
        """The code z (B, Z) that stands for x (B, *X) in a reconstruction."""
        return self.posterior(x).mean

    def bind(self, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
        """Called once with each role's optimizer, for a method that differentiates through one."""


class InferringMethod(Method):
    """A method with an encoder and a family of posteriors: q(z|x) is the family's at the encoder's heads."""

    infers = True

    encoder: Encoder
    family: Posterior

    def read(self, x: Tensor) -> Tensor:
        """What the encoder reads of x (B, *X): x itself, unless a method lets it share features."""
        return x

    def posterior(self, x: Tensor) -> Distribution:
        """q(z|x) for x (B, *X)."""
        return self.family(*self.encoder(self.read(x)))

    def code(self, x: Tensor) -> Tensor:
        """The code z (B, Z) that stands for x (B, *X), μ(x) for a Gaussian."""
        return self.family.code(self.posterior(x))
