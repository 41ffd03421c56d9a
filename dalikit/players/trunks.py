"""A discriminator's trunk without its head, and an encoder on one of its own."""

from torch import Tensor, nn

from dalikit.interfaces import Discriminator, Shape


class Trunk(nn.Module):
    """The features of a discriminator, for whoever needs nothing else of it: x (B, *X) to h (B, *H)."""

    def __init__(self, trunk: nn.Module, feature_shape: Shape) -> None:
        super().__init__()
        self.trunk = trunk
        self.feature_shape = feature_shape

    @classmethod
    def of(cls, discriminator: Discriminator) -> "Trunk":
        """That of a discriminator, whose head is left behind."""
        return cls(discriminator.trunk, discriminator.feature_shape)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, *H) of x (B, *X)."""
        return self.trunk(x)


class EncoderWithTrunk(nn.Module):
    """An encoder that reads data x: on the features of a trunk of its own, trained with it."""

    def __init__(self, trunk: Trunk, encoder: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.encoder = encoder

    @property
    def described(self) -> nn.Module:
        """What errors name it by."""
        return self.encoder

    def forward(self, x: Tensor, *labels: Tensor) -> tuple[Tensor, ...]:
        """Map x (B, *X), and labels where the encoder reads them, to the posterior's raw parameters."""
        return self.encoder(self.trunk(x), *labels)
