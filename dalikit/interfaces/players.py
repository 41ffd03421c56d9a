"""The players: networks, and the family of the posterior."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn
from torch.distributions import Distribution

Shape = tuple[int, ...]
Range = tuple[float, float]


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
