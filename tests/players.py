"""Small players and data that several tests train."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from dalikit.assembly.parameters import check_parameters
from dalikit.components.augmentations.none import NoAugmentation
from dalikit.components.games.gan import GAN
from dalikit.components.methods.dali import DALI
from dalikit.components.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator
from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.interfaces import (
    AdversarialGame,
    Augmentation,
    Dataset,
    DataSpec,
    Generator,
    Method,
    Phase,
    PhaseLoss,
    Posterior,
    TensorSplit,
)
from dalikit.players import Cast

Z = 3

PLANE = DataSpec((2,))
CLASSES = ("red", "green", "blue")
LABELLED = DataSpec((2,), classes=CLASSES)


class Points(Dataset):
    """Fixed points in the plane, `labelled` or not."""

    name = "points"
    preparation = "made by the test"

    def __init__(
        self, count: int = 20, dtype: torch.dtype = torch.float32, *, labelled: bool = False
    ) -> None:
        self.spec = LABELLED if labelled else PLANE
        self.data = torch.randn(count, 2, generator=torch.Generator().manual_seed(5)).to(dtype)
        self.labels = torch.arange(count) // 2 % len(CLASSES) if labelled else None

    def split(self, part):
        return TensorSplit(self.data, self.labels)


def maker(
    width: int, game: AdversarialGame, family: type[Posterior], augmentation: type[Augmentation]
) -> Callable[..., Any]:
    """What makes the components that a cast asks for: multilayer perceptrons of one width."""

    def new(kind: str, **supplied: Any) -> Any:
        if kind == "game":
            return game
        cls = {
            "generator": MLPGenerator,
            "discriminator": MLPDiscriminator,
            "encoder": MLPEncoder,
            "posterior": family,
            "augmentation": augmentation,
        }[kind]
        settings = {"width": width} if cls.kind.network else {}
        return cls(*[supplied[name] for name in cls.kind.supplied], **settings)

    return new


def small(
    cls: type[Method],
    width: int = 8,
    latent_size: int = Z,
    game: AdversarialGame | None = None,
    family: type[Posterior] = Diagonal,
    augmentation: type[Augmentation] = NoAugmentation,
    spec: DataSpec | None = None,
    **settings,
) -> Method:
    """A method on points, labelled where it is to be conditional, or on data of another `spec`."""
    conditional = settings.get("conditional", False)
    spec = spec or (LABELLED if conditional else PLANE)
    roles = cls.roles(**check_parameters(cls, cls.name, settings))
    new = maker(width, game or GAN(), family, augmentation)
    players = Cast(roles, spec, latent_size, new, conditional=conditional).players()
    return cls(**players, **settings)


def dali(game: AdversarialGame | None = None, seed: int = 1, **settings) -> DALI:
    """DALI on points, with 3-d codes."""
    torch.manual_seed(seed)
    return small(DALI, game=game, **settings)


class Line(Generator):
    """x = w z, counting its calls."""

    name = "line"

    def __init__(self) -> None:
        super().__init__(2, DataSpec((2,)))
        self.weight = nn.Parameter(torch.ones(2))
        self.calls = 0

    def forward(self, z):
        self.calls += 1
        return self.weight * z


class Norm(nn.Module):
    """A player with a buffer that moves in train mode."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x):
        return self.norm(x)


class Recorder(Method):
    """A generator, a critic and a bystander; phases are given, and what they saw is recorded.

    Whoever is in no phase is frozen, and `step` counts iterations from 0.
    """

    name = "recorder"

    def __init__(self, *phases: dict) -> None:
        super().__init__()
        self.generator = Line()
        self.critic = Norm()
        self.bystander = Norm()
        self.seen: list[tuple[str, int, object]] = []
        self.step = -1
        self._phases = phases
        trained = {role for phase in phases for role in phase["trains"]}
        for role, player in self.named_children():
            player.requires_grad_(role in trained)

    def advance(self, progress):
        super().advance(progress)
        self.step += 1

    def phases(self):
        return [Phase(**{"loss": self._recorded(p["name"]), **p}) for p in self._phases]

    def _recorded(self, name):
        def loss(iteration):
            self.seen.append((name, self.step, iteration))
            x = iteration.fake if name.startswith("g") else iteration.fake_detached
            total = self.critic(self.bystander(x)).square().mean() + self.generator.weight.sum()
            return PhaseLoss(total, {"loss": total})

        return loss


BOTH = ({"name": "d", "trains": ("critic",)}, {"name": "g", "trains": ("generator",)})
