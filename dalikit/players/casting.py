"""Who plays a role: what is composed for what it reads, said here once.

| kind | reads | what plays |
|---|---|---|
| generator | | the component; with labels a `ConditionalGenerator` |
| discriminator | x | the component; with labels a `ConditionalDiscriminator`; headless its `Trunk` |
| discriminator | z | a `CodeDiscriminator` |
| discriminator | xz | a `JointDiscriminator` on the component's trunk |
| discriminator | xx | a `PairDiscriminator` on the component's trunk |
| encoder | h | the component, on the features of the first discriminator on data |
| encoder | x | an `EncoderWithTrunk`: the component on a trunk of its own |
| any other | | the component |
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from dalikit.errors import UnfitError
from dalikit.interfaces import DataSpec, Role, Shape
from dalikit.players.conditional import (
    ConditionalDiscriminator,
    ConditionalEncoder,
    ConditionalGenerator,
    joined_shape,
    joined_size,
)
from dalikit.players.joint import CodeDiscriminator, JointDiscriminator, PairDiscriminator
from dalikit.players.trunks import EncoderWithTrunk, Trunk


class Cast:
    """The players of a method, each made when it is first asked for.

    Args:
        roles: what the method needs.
        spec: what the data are.
        latent_size: Z.
        new: makes a new component of a kind from what is supplied to it by name (`Kind.supplied`).
        conditional: whether players read labels.
        asked_by: the method, for errors.
    """

    def __init__(
        self,
        roles: Mapping[str, Role],
        spec: DataSpec,
        latent_size: int,
        new: Callable[..., Any],
        *,
        conditional: bool = False,
        asked_by: str = "the method",
    ) -> None:
        self.roles = roles
        self.spec = spec
        self.latent_size = latent_size
        self.new = new
        self.asked_by = asked_by
        self.classes = len(spec.classes or ()) if conditional else None
        self._made: dict[str, Any] = {}

    def players(self) -> dict[str, Any]:
        """All of them, by role, in the order of the roles."""
        return {role: self.player(role) for role in self.roles}

    def player(self, name: str) -> Any:
        """The player of a role."""
        if name not in self._made:
            role = self.roles[name]
            own: dict[str, Callable[[Role], Any]] = {
                "generator": self._generator,
                "discriminator": self._discriminator,
                "encoder": self._encoder,
            }
            self._made[name] = own.get(role.kind, self._component)(role)
            if role.frozen:
                self._made[name].requires_grad_(False)
        return self._made[name]

    def _component(self, role: Role) -> Any:
        return self.new(role.kind, spec=self.spec, latent_size=self.latent_size)

    def _generator(self, role: Role) -> nn.Module:
        if self.classes is None:
            return self._component(role)
        joined = self.new("generator", spec=self.spec, latent_size=joined_size(self.latent_size))
        return ConditionalGenerator(joined, self.classes)

    def _discriminator(self, role: Role) -> nn.Module:
        if role.reads == "z":
            return CodeDiscriminator(self.latent_size)
        if role.reads == "xz":
            return JointDiscriminator(
                self._trunk(), self.spec.x_shape, self.latent_size, classes=self.classes
            )
        if role.reads == "xx":
            return PairDiscriminator(self._trunk(), classes=self.classes)
        if role.headless:
            return self._trunk()
        plain = self._component(role)
        return plain if self.classes is None else ConditionalDiscriminator(plain, self.classes)

    def _trunk(self) -> Trunk:
        return Trunk.of(self.new("discriminator", spec=self.spec))

    def _encoder(self, role: Role) -> nn.Module:
        family = self._first("posterior", "its encoder's heads need one")
        if role.reads == "h":
            return self._encoder_on(self._shared_trunk().feature_shape, family.heads())
        trunk = self._trunk()
        return EncoderWithTrunk(trunk, self._encoder_on(trunk.feature_shape, family.heads()))

    def _encoder_on(self, feature_shape: Shape, heads: tuple[int, ...]) -> nn.Module:
        if self.classes is None:
            return self.new("encoder", in_shape=feature_shape, head_sizes=heads)
        beside = self.new("encoder", in_shape=joined_shape(feature_shape), head_sizes=heads)
        return ConditionalEncoder(beside, self.classes)

    def _shared_trunk(self) -> Any:
        """The discriminator whose features the encoder reads: the first one that reads data alone."""
        for name, role in self.roles.items():
            if role.kind == "discriminator" and role.reads in (None, "x"):
                return self.player(name)
        raise UnfitError(
            f"{self.asked_by} asks for no discriminator on data whose features its encoder could read"
        )

    def _first(self, kind: str, why: str) -> Any:
        for name, role in self.roles.items():
            if role.kind == kind:
                return self.player(name)
        raise UnfitError(f"{self.asked_by} asks for no {kind}, and {why}")
