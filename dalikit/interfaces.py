"""The whole contract: what a component is, and the small records that pass between components.

Symbols: B batch, Z latent size, X the shape of one datum ((C, H, W) or (2,)), H the shape of the
features, K the number of fake samples for one real one.

A component's constructor takes what dalikit supplies (shapes, Z) as positional-only arguments and what the
user may set as keyword-only ones with types and defaults; there is no second place for its settings.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from dalikit.errors import UnfitError

Shape = tuple[int, ...]
Range = tuple[float, float]
Critic = Callable[..., Tensor]
Part = Literal["train", "validation", "test"]


# --- players ---------------------------------------------------------------------------------------------


class Generator(nn.Module, ABC):
    """p(x|z): a deterministic map from codes to data. Built as `cls(latent_size, x_shape, value_range)`."""

    name: ClassVar[str]
    latent_size: int

    def __init__(self, latent_size: int, x_shape: Shape, value_range: Range | None, /) -> None:
        super().__init__()
        self.latent_size = latent_size

    @abstractmethod
    def forward(self, z: Tensor) -> Tensor:
        """Map z (B, Z) to x (B, *X), within the data's value range."""


class Discriminator(nn.Module, ABC):
    """The adversary: a trunk of features, and a head that reads them. Built as `cls(x_shape)`."""

    name: ClassVar[str]
    feature_shape: Shape

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """Map x (B, *X) to h (B, *H), H being `feature_shape`."""

    @abstractmethod
    def head(self, h: Tensor) -> Tensor:
        """Map h (B, *H) to logits (B,). Never ends in a sigmoid: what a logit means is the game's affair."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B,) of x (B, *X)."""
        return self.head(self.features(x))


class Encoder(nn.Module, ABC):
    """Maps features or data to the posterior's raw parameters. Built as `cls(in_shape, head_sizes)`."""

    name: ClassVar[str]

    @abstractmethod
    def forward(self, h: Tensor) -> tuple[Tensor, ...]:
        """Map h (B, *in_shape) to one tensor (B, size) for each of `head_sizes`, by separate heads."""


class Posterior(nn.Module, ABC):
    """The family of q(z|x). Built as `cls(latent_size)`; parameters it has are trained with the encoder."""

    name: ClassVar[str]

    @abstractmethod
    def heads(self) -> tuple[int, ...]:
        """The sizes of the encoder's heads, in the order in which `forward` takes them."""

    @abstractmethod
    def forward(self, *heads: Tensor) -> Distribution:
        """The distribution over z, batch shape (B,) and event shape (Z,), that raw heads (B, size) mean."""

    def code(self, distribution: Distribution) -> Tensor:
        """The point z (B, Z) used for reconstruction: the mean, as in the paper's section 3.5."""
        return distribution.mean


# --- the game --------------------------------------------------------------------------------------------


class AdversarialGame(ABC):
    """What D and G play for. It has no parameters; all its losses are per sample and minimised.

    `fake` logits are (K·B,), sample k of datum b at k·B + b; they are summed over k. A game that pairs
    each fake with one real refuses K > 1.
    """

    name: ClassVar[str]
    needs_real: ClassVar[bool] = False
    """Whether `generator_loss` must be given the real logits."""

    discriminator_steps: int = 1
    """Discriminator steps for each generator step that the game's paper asks for."""

    penalty_every: int = 1
    """Compute the penalty in every n-th iteration only, n times as heavy (lazy regularisation)."""

    @abstractmethod
    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Losses (B,) of D, from the logits of real (B,) and generated (K·B,) data."""

    @abstractmethod
    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Losses of G, shaped as `fake` (K·B,); `real` (B,) is given where the game `needs_real`."""

    def joint(self, real: Tensor, fake: Tensor) -> Tensor:
        """Losses (B,) of the players against a joint D(x, z): pairs (x, E(x)) are `real`, (G(z), z) `fake`.

        The encoder's side must get a gradient too, so each side is pushed over the other's.
        """
        return self.generator_loss(fake, real) + self.generator_loss(-real, -fake)

    def penalty(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor | None:
        """Penalties (B,) on the critic at real (B, *X) and generated (K·B, *X) data, or None.

        `critic` is any callable from data to logits. Of K generated data the mean counts, whatever K is.
        """
        return None

    def project(self, discriminator: nn.Module) -> None:
        """Called after each step of the discriminator, e.g. to clip its weights in place."""


# --- methods ---------------------------------------------------------------------------------------------


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


# --- data, measures, callbacks ---------------------------------------------------------------------------


class Split(ABC):
    """One part of a data set, as raw data that `Dataset.scale` turns into x on the device."""

    @abstractmethod
    def __len__(self) -> int:
        """How many data there are; for an endless source, how many count as one epoch."""

    @abstractmethod
    def take(self, index: Tensor, rng: torch.Generator) -> Tensor:
        """Raw data (n, *X) at `index` (n,) int64. What is random in them is drawn from `rng` alone."""

    def labels(self, index: Tensor) -> Tensor | None:
        """Labels (n,) int64 of the data at `index`, or None where there are none."""
        return None


class TensorSplit(Split):
    """Data that lie in one tensor (N, *X), as they are, with labels (N,) int64 where they have any."""

    def __init__(self, data: Tensor, labels: Tensor | None = None) -> None:
        self.data = data
        self._labels = labels

    def __len__(self) -> int:
        return len(self.data)

    def take(self, index: Tensor, rng: torch.Generator) -> Tensor:
        """Rows `index` (n,) of the tensor."""
        return self.data[index]

    def labels(self, index: Tensor) -> Tensor | None:
        """Labels (n,) at `index`."""
        return None if self._labels is None else self._labels[index]


class Dataset(ABC):
    """A data set. Its shape is known before any data are read; `split` reads them."""

    name: ClassVar[str]
    x_shape: Shape
    value_range: Range | None
    """The least and greatest value of x, or None where x is unbounded."""

    preparation: str
    """One sentence: where the data come from, how they are split and scaled. Stored beside scores."""

    latent_size: int = 64
    """Z unless the user sets one."""

    backbone: str = "dcgan"
    """The network family unless the user names one."""

    metrics: tuple[str, ...] = ("reconstruction",)
    """The names of the metrics that `dalikit evaluate` computes unless told otherwise."""

    @abstractmethod
    def split(self, part: Part) -> Split:
        """The training, validation or test part."""

    def scale(self, raw: Tensor) -> Tensor:
        """Turn raw data (B, *X) into x: uint8 0 to 255 into the value range, floats as they are.

        Raises:
            UnfitError: the data are uint8 and the value range is None.
        """
        if raw.dtype != torch.uint8:
            return raw
        if self.value_range is None:
            raise UnfitError(f"Data set '{self.name}' has uint8 data but no value_range to scale them to")
        low, high = self.value_range
        return raw.float().div_(255 / (high - low)).add_(low)


@dataclass(frozen=True)
class Score:
    """What a metric found: `values` by field, and the `protocol` without which they mean nothing."""

    metric: str
    values: Mapping[str, float | int]
    protocol: Mapping[str, Any]


class Metric(ABC):
    """A measure of a trained method on a data set. Built as `cls(dataset)`."""

    name: ClassVar[str]

    @abstractmethod
    def feed(self, method: Method, part: Part) -> Iterator[tuple[Tensor, ...]]:
        """Batches of whatever it measures (samples, data and reconstructions, codes)."""

    @abstractmethod
    def update(self, *batch: Tensor) -> None:
        """Take in one of those batches."""

    @abstractmethod
    def compute(self) -> Score:
        """The score over all batches so far."""

    def unfit(self, method: Method) -> str | None:
        """Why it cannot be computed for `method`, or None where it can."""
        return None


@dataclass(frozen=True)
class TrainingState:
    """All that a resume must restore: `tensors`, and `scalars` that JSON can hold."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    scalars: dict[str, Any] = field(default_factory=dict)


class Fit(Protocol):
    """What a callback may see of a training in progress."""

    method: Method
    """With the weights that are being trained."""

    inference: Method
    """With the averaged weights, in eval mode: what sampling and inference use."""

    step: int
    """Finished iterations."""

    steps: int
    """Iterations at the end of training."""

    images: int
    """Data read so far."""

    failed: bool
    """Whether an error is ending training: what is in memory may be worthless then."""

    @property
    def running(self) -> bool:
        """Whether another iteration will follow."""

    def losses(self) -> dict[str, float]:
        """Each phase's terms, averaged since the last call that found new ones. Waits for the device.

        Raises:
            NonFiniteLossError: one of them is NaN or infinite.
        """

    def state(self) -> TrainingState:
        """All that a resume must restore, as copies on the CPU."""


class Callback(ABC):
    """Something that watches a training. Built as `cls(context)`; three events, no more.

    `context` is a `dalikit.runs.Context`: the run directory, the data set and its metrics.
    """

    name: ClassVar[str]

    def fit_start(self, fit: Fit) -> None:
        """Before the first iteration of this process."""

    def step_end(self, fit: Fit) -> None:
        """After each iteration."""

    def fit_end(self, fit: Fit) -> None:
        """After the last iteration, also when training was interrupted or `failed`."""


# --- named combinations ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Backbone:
    """A family of networks by the names of its generator, discriminator and encoder."""

    name: str
    description: str
    generator: str
    discriminator: str
    encoder: str


@dataclass(frozen=True)
class Recipe:
    """A named experiment: what it is, the paper's row it stands for, and the RunConfig fields it sets."""

    name: str
    description: str
    stands_for: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class StudyColumn:
    """One measure of a study: the metric's field behind it, and how a figure is shown.

    `scale` multiplies the field's value (100 makes a share a percentage); `digits` follow the point. Which
    score of a training is the best one depends on `better`; None knows no best.
    """

    name: str
    metric: str
    field: str
    scale: float = 1.0
    digits: int = 2
    better: Literal["higher", "lower"] | None = "higher"


@dataclass(frozen=True)
class StudyRow:
    """One system of a study: the recipe it runs, with the settings in which it differs.

    Attributes:
        name: what `--rows` and folders call it.
        label: what the paper calls it.
        recipe: a recipe's name, combined with each data set in turn.
        settings: RunConfig fields on top of the recipe and the budget.
        paper: the paper's own figures, by data set and column, as the column shows them; a pair is a figure
            and what stands behind its ±. One that the paper does not give is left out.
    """

    name: str
    label: str
    recipe: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    paper: Mapping[str, Mapping[str, float | tuple[float, float]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A table or figure to reproduce: rows of systems, trained on data sets, measured by columns.

    Attributes:
        budgets: by name ("quick", "paper"), then by data set, the RunConfig fields that it sets.
        pictures: "samples" or "reconstructions" to be put together as one picture, instead of the table's.
        notes: what a reader must know to compare the figures with the paper's.
    """

    name: str
    description: str
    stands_for: str
    datasets: tuple[str, ...]
    rows: tuple[StudyRow, ...]
    columns: tuple[StudyColumn, ...]
    budgets: Mapping[str, Mapping[str, Mapping[str, Any]]]
    pictures: tuple[Literal["samples", "reconstructions"], ...] = ()
    notes: tuple[str, ...] = ()


KINDS: dict[str, type] = {
    "generator": Generator,
    "discriminator": Discriminator,
    "encoder": Encoder,
    "posterior": Posterior,
    "game": AdversarialGame,
    "method": Method,
    "dataset": Dataset,
    "metric": Metric,
    "callback": Callback,
    "backbone": Backbone,
    "recipe": Recipe,
    "study": Study,
}
