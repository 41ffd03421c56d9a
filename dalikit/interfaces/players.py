"""The players: networks, the family of the posterior, and what a discriminator's sight is augmented by."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn
from torch.distributions import Distribution

from dalikit.interfaces.kinds import Component, Kind
from dalikit.interfaces.spec import DataSpec, Shape


class Generator(Component, nn.Module, ABC):
    """p(x|z): a deterministic map from codes to data. Built as `cls(latent_size, spec)`; it keeps both."""

    kind = Kind(
        "generator",
        supplied=("latent_size", "spec"),
        player=True,
        network=True,
        settings=("latent_size", "from_run"),
    )

    def __init__(self, latent_size: int, spec: DataSpec, /) -> None:
        super().__init__()
        self.latent_size = latent_size
        self.spec = spec

    @abstractmethod
    def forward(self, z: Tensor) -> Tensor:
        """Map z (B, Z) to x (B, *X), within the data's value range."""


class Discriminator(Component, nn.Module, ABC):
    """The adversary: a trunk of features, and a head that reads them. Built as `cls(spec)`.

    Whoever needs features alone is given the trunk alone.

    Attributes:
        trunk: maps x (B, *X) to features h (B, *H).
        head: maps h to logits (B,). Never ends in a sigmoid: what a logit means is the game's affair.
        feature_shape: H.
    """

    kind = Kind("discriminator", supplied=("spec",), player=True, network=True, settings=("from_run",))
    trunk: nn.Module
    head: nn.Module
    feature_shape: Shape

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B,) of x (B, *X)."""
        return self.head(self.trunk(x))


class Encoder(Component, nn.Module, ABC):
    """Maps features or data to the posterior's raw parameters. Built as `cls(in_shape, head_sizes)`."""

    kind = Kind(
        "encoder", supplied=("in_shape", "head_sizes"), player=True, network=True, settings=("from_run",)
    )

    @abstractmethod
    def forward(self, h: Tensor) -> tuple[Tensor, ...]:
        """Map h (B, *in_shape) to one tensor (B, size) for each of `head_sizes`, by separate heads."""


class Posterior(Component, nn.Module, ABC):
    """The family of q(z|x). Built as `cls(latent_size)`; parameters it has are trained with the encoder."""

    kind = Kind("posterior", supplied=("latent_size",), default="diag", player=True, settings=("from_run",))

    @abstractmethod
    def heads(self) -> tuple[int, ...]:
        """The sizes of the encoder's heads, in the order in which `forward` takes them."""

    @abstractmethod
    def forward(self, *heads: Tensor) -> Distribution:
        """The distribution over z, batch shape (B,) and event shape (Z,), that raw heads (B, size) mean.

        It offers `log_prob` and `sample`; what else a method asks of it stands in `Method.needs`.
        """

    def code(self, distribution: Distribution) -> Tensor:
        """The point z (B, Z) used for reconstruction: the mean, as in the paper's section 3.5."""
        return distribution.mean


class Augmentation(Component, nn.Module, ABC):
    """What a discriminator on data sees in training, of real and generated data alike; never in inference.

    Built as `cls(spec)`. Its state, if it has any, lies in buffers, which a checkpoint holds.
    """

    kind = Kind("augmentation", supplied=("spec",), default="none", player=True)
    changes: ClassVar[bool] = True
    """Whether it does anything: features of what is not augmented need no second pass."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """x (B, *X) augmented, each datum on its own, with a gradient."""

    def observe(self, real: Tensor) -> None:
        """Told D's logits (B,) of real data in each of its steps, without a graph."""
