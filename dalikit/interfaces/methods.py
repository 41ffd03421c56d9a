"""A paper's objective: the players it needs, and the phases of its iteration."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from dalikit.errors import UnfitError
from dalikit.interfaces.kinds import Component, Kind, describe

if TYPE_CHECKING:
    from dalikit.interfaces.players import Generator
    from dalikit.interfaces.spec import Batch, DataSpec

Reads = Literal["x", "z", "h", "xz", "xx"]


@dataclass(frozen=True)
class Role:
    """A player that a method needs. What is composed for it stands in `dalikit.players.casting`.

    Attributes:
        kind: of the component.
        reads: "x" data, "z" codes, "h" the features of the first discriminator on data among the roles, "xz"
            data and code together, "xx" two data; None leaves a discriminator and an encoder with data, and
            means nothing to other kinds.
        frozen: it comes trained from another run (`generator.from_run`) and is never trained here.
        headless: a discriminator's trunk of features alone is asked for.
    """

    kind: str
    reads: Reads | None = None
    frozen: bool = False
    headless: bool = False

    def __post_init__(self) -> None:
        if self.reads not in (None, *get_args(Reads)):
            raise UnfitError(f"A role of kind '{self.kind}' reads '{self.reads}'; it is one of {Reads}")


@dataclass(frozen=True)
class PhaseLoss:
    """What a phase minimises: `total`, a scalar with its graph, and `terms`, scalars to log."""

    total: Tensor
    terms: Mapping[str, Tensor] = field(default_factory=dict)


class Iteration:
    """What the phases of one iteration share: data, their labels, z, and x̃ = G(z), made once.

    Attributes:
        real: x (B, *X).
        labels: y (B,) int64, or None; generated data bear them too.
        z: codes (B, Z).
    """

    def __init__(self, generate: Callable[[Tensor, Tensor | None], Tensor], batch: Batch, z: Tensor) -> None:
        self.real, self.labels = batch
        self.z = z
        self._generate = generate
        self._shared = True
        self._fake: Tensor | None = None
        self._graphless: Tensor | None = None

    @property
    def fake(self) -> Tensor:
        """x̃ = G(z) (B, *X) with its graph, computed at the first request."""
        if self._fake is None:
            self._fake = self._generate(self.z, self.labels)
        return self._fake

    @property
    def fake_detached(self) -> Tensor:
        """x̃ (B, *X) without a graph, from the shared one where there will be one."""
        if self._shared or self._fake is not None:
            return self.fake.detach()
        if self._graphless is None:
            with torch.no_grad():
                self._graphless = self._generate(self.z, self.labels)
        return self._graphless

    def enter(self, *, shared: bool) -> None:
        """A phase begins; `shared` says whether a later one may use x̃: if none does, no graph is kept."""
        self._shared = shared

    def leave(self, trained: Collection[str]) -> None:
        """A phase has trained these roles: x̃ is dropped where it has changed, and made from the same z."""
        if "generator" in trained:
            self._fake = self._graphless = None


@dataclass(frozen=True)
class Phase:
    """One step of an iteration: whose parameters its losses train, and how often.

    Attributes:
        name: what logs and errors call it.
        trains: names of roles; nothing else gets a gradient.
        loss: takes the `Iteration`, returns a `PhaseLoss`.
        repeats: optimizer steps in one iteration, each on a fresh draw.
        penalised: the loss together with its penalty, or with what else is due now and then, taken instead in
            every `penalty_every`-th iteration: what an iteration will run is known before it runs.
        penalty_every: see there.
        after: called once after each step, e.g. a game's `project`.
    """

    name: str
    trains: tuple[str, ...]
    loss: Callable[[Iteration], PhaseLoss]
    repeats: int = 1
    penalised: Callable[[Iteration], PhaseLoss] | None = None
    penalty_every: int = 1
    after: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        if self.repeats < 1 or self.penalty_every < 1:
            raise UnfitError(f"Phase '{self.name}': repeats and penalty_every are at least 1")

    def due(self, step: int) -> Callable[[Iteration], PhaseLoss]:
        """The loss that iteration `step` runs, counting from 0."""
        if self.penalised is not None and step % self.penalty_every == 0:
            return self.penalised
        return self.loss


class Method(Component, nn.Module):
    """A paper's objective: it holds its players, each as the attribute that its role is named after.

    Built as `cls(**players, **settings)`; a subclass hands on what is not its own to its base.

    Args:
        conditional: whether G, E and every head that reads data read labels too. The players that are given
            must take them (`dalikit.players.conditional`).
        players: by role.
    """

    kind = Kind("method", default="dali")
    infers: ClassVar[bool] = False
    """Whether it has a posterior q(z|x)."""

    needs: tuple[str, ...] = ()
    """What it asks of its posterior's distributions: `log_prob`, `rsample`, `mean` or `stddev`."""

    optimizers: ClassVar[Mapping[str, type[torch.optim.Optimizer]]] = {}
    """By role, torch's optimizer that it must have, where the method reads its moments."""

    balanced: ClassVar[str | None] = None
    """Its parameter that may be `balanced`, see `dalikit.functional.balance`: the weight beside a game."""

    generator: Generator
    class_shares: Tensor
    """How frequent each label is in the training part (C,), where the method is conditional."""

    def __init__(self, *, conditional: bool = False, **players: Any) -> None:
        super().__init__()
        self.conditional = conditional
        for role, player in players.items():
            if not isinstance(player, Component | nn.Module | None):
                raise UnfitError(f"{describe(self)} has no setting '{role}', and {player!r} is no player")
            if getattr(type(self), role, None) is not None:
                raise UnfitError(f"{describe(self)}: its own '{role}' would hide the role called that")
            setattr(self, role, player)
        self.progress = torch.zeros(())
        if conditional:
            if self.spec.classes is None:
                raise UnfitError(f"method '{self.name}': conditional=true needs data with labels")
            self.register_buffer("class_shares", torch.ones(len(self.spec.classes)))

    @classmethod
    def roles(cls, **settings: Any) -> dict[str, Role]:
        """The players it needs, by role; `settings` are all its own, defaults included."""
        return {"generator": Role("generator")}

    def phases(self) -> Sequence[Phase]:
        """The phases of one iteration, in order."""
        return ()

    @property
    def spec(self) -> DataSpec:
        """What the data are that it generates."""
        return self.generator.spec

    @property
    def latent_size(self) -> int:
        """Z."""
        return self.generator.latent_size

    def advance(self, progress: Tensor) -> None:
        """Told before each iteration the share of training that is done, a scalar from 0 to 1."""
        self.progress = progress

    def player(self, role: str) -> nn.Module:
        """The module that plays `role`."""
        return getattr(self, role)

    def prior(self, n: int) -> Tensor:
        """Draw z (n, Z) from p(z) = N(0, I), on the device and in the precision of the generator."""
        reference = next(self.generator.parameters())
        return torch.randn(n, self.latent_size, device=reference.device, dtype=reference.dtype)

    def draw_labels(self, n: int) -> Tensor | None:
        """Labels (n,), as frequent as in the training part; None where the method is not conditional."""
        shares = self.class_shares if self.conditional else None
        return None if shares is None else torch.multinomial(shares, n, replacement=True)

    def given(self, labels: Tensor | None, n: int | None = None) -> tuple[Tensor, ...]:
        """What players are given behind the data: the labels, or nothing where it is not conditional.

        `n` is how many data there are, several generated ones for one label perhaps.

        Raises:
            UnfitError: it is conditional, and there are no labels.
        """
        if not self.conditional:
            return ()
        if labels is None:
            raise UnfitError(f"method '{self.name}' is conditional: data need their labels")
        return (labels if n is None else labels.repeat(n // len(labels)),)

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map z (B, Z), and labels y (B,) where it is conditional, to x (B, *X)."""
        return self.generator(z, *self.given(y))

    def posterior(self, x: Tensor, y: Tensor | None = None) -> Distribution:
        """q(z|x) for x (B, *X), or q(z|x, y).

        Raises:
            UnfitError: the method has no encoder.
        """
        raise UnfitError(f"Method '{self.name}' has no encoder, so it cannot infer codes; 'dali' can.")

    def code(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The code z (B, Z) that stands for x (B, *X) in a reconstruction."""
        return self.posterior(x, y).mean

    def verdict(self, iteration: Iteration) -> tuple[Tensor, Tensor] | None:
        """D's logits (B,) of what it is to take for real, and (B,) of what it is to tell from it.

        None where there is no discriminator. It is asked in training's modes and without a graph.
        """
        return None

    def bind(self, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
        """Called once with each role's optimizer, for a method that differentiates through one."""
