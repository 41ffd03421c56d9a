"""The settings that follow from the data, the machine and the time.

Each stands here once, with its reason. What no rule names keeps its component's own default.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from dalikit.errors import UserError
from dalikit.hookspecs import offer
from dalikit.interfaces import Derived, Pace, Rules, Situation

DALIKIT_API = 2

PAUSES = 10
"""Stops for scores, pictures and a checkpoint that a training has where they are cheap."""

PAUSED = 0.1
"""The share of the time that they may take together."""

PAUSING = ("evaluation", "pictures", "checkpoint", "health")
"""The callbacks that pause a training."""

SLACK = 0.98
"""The share of the time that is planned for."""

BATCH, POINTS = 64, 256
"""Images, and points, in a batch."""

NO_MOMENTUM = Derived([0.0, 0.99], "players that answer each other overshoot (StyleGAN2); not grey images")

RATE, WIDE = 2e-3, 16
"""Adam's rate, and up to which width. In wider networks more weights move each output, by a rate each: theirs
falls as 1 / width (Yang et al. 2022, "Tensor Programs V"). CIFAR-10 at width 32 and the whole rate lost its
encoder within a hundred steps."""

FEW = 10_000
"""Images below which D learns them by heart before G is done: ADA made both scores better on 1,000."""

WIDTHS = ("generator.width", "discriminator.width")
NARROWEST = 4

FEWEST = 20
"""Steps with which there is no point in training."""

HALVED, MOST_HALVED = 2, 3
"""How often convolutional networks' own width is halved on a CPU, at first and at most."""

COSTLIER = 3.2
"""How many times as long networks of twice the width take, at most by what was measured."""


@dataclass(frozen=True)
class Plan:
    """How many steps the `seconds` hold at a pace, and pauses on the way."""

    pace: Pace
    seconds: float
    steps: int
    pauses: int

    @classmethod
    def of(cls, pace: Pace, seconds: float) -> "Plan":
        """The plan that fits."""
        left = seconds * SLACK - pace.end
        pauses = max(1, min(PAUSES, int(PAUSED * left / max(pace.pause, 1e-9))))
        return cls(pace, seconds, max(0, int((left - (pauses + 1) * pace.pause) / pace.step)), pauses)

    def settings(self) -> dict[str, Derived]:
        """The number of steps, and when training pauses."""
        pace = f"{1000 * self.pace.step:.3g} ms a step and {self.pace.pause:.2g} s a pause"
        steps = Derived(self.steps, f"{self.seconds / 60:.1f} minutes, at {pace}")
        every = Derived(
            max(1, self.steps // self.pauses), f"{self.pauses} pauses, in a tenth of the time at most"
        )
        return {"trainer.steps": steps, **{f"callbacks.{name}.every": every for name in PAUSING}}


class Standard(Rules):
    """Settings for images and for points, found on data that no rule names; see docs/defaults.md.

    Args:
        wanted: the fewest steps for which networks are made as wide as time allows.
        r1: R1's weight at 28×28 and a batch of 64; it follows resolution and batch from there.
    """

    name = "standard"

    def __init__(
        self, *, wanted: Annotated[int, Field(ge=1)] = 1500, r1: Annotated[float, Field(ge=0)] = 0.3
    ) -> None:
        self.wanted = wanted
        self.r1 = r1

    def derive(self, known: Situation) -> Mapping[str, Derived]:
        """Those of the data, then of the machine, then of the time, for which all others must be known."""
        own = {
            **self._training(known),
            **(self._of_images(known) if _image(known) else _of_points(known)),
            **_codes(known),
            **_machine(known),
        }
        timed = self._time(known, {path: each.value for path, each in own.items()})
        return {**own, **_rate(known, timed), **timed}

    def _training(self, known: Situation) -> dict[str, Derived]:
        batch, of = (BATCH, "images") if _image(known) else (POINTS, "points")
        grey = _image(known) and known.spec.x_shape[0] == 1
        betas = Derived([0.5, 0.99], "grey images: DCGAN's first beta") if grey else NO_MOMENTUM
        return {
            "trainer.batch_size": Derived(batch, f"for {of}"),
            "trainer.schedule": Derived("linear", "the last steps settle what the first have found"),
            "trainer.optimizer.betas": betas,
        }

    def _of_images(self, known: Situation) -> dict[str, Derived]:
        """R1 by resolution and batch, as StyleGAN2-ADA sets it: γ ∝ pixels / batch; where D judges images."""
        found = {
            "posterior.log_variance_min": Derived(-6.0, "a code is told to 5 % of its prior's width at best"),
            "posterior.log_variance_max": Derived(2.0, "the prior's own variance lies well below"),
        }
        if known.given("posterior.knee") is not None:  # which goes with bounds of its own
            del found["posterior.log_variance_min"], found["posterior.log_variance_max"]
        if any(role.kind == "discriminator" and role.reads != "z" for role in known.roles.values()):
            found |= self._of_judges(known)
        return found

    def _of_judges(self, known: Situation) -> dict[str, Derived]:
        pixels, batch = math.prod(known.spec.x_shape[1:]), known.given("trainer.batch_size") or BATCH
        weight = self.r1 * (pixels / 28**2) * (BATCH / batch)
        found = {
            "game.r1": Derived(_rounded(weight), "as pixels / batch (StyleGAN2-ADA)"),
            "game.penalty_every": Derived(4, "lazily, at a fraction of the cost (StyleGAN2)"),
        }
        if known.count() < FEW:
            found["augmentation.name"] = Derived("ada", f"fewer than {FEW:,} images (Karras et al. 2020)")
        if known.takes("game.r1", weight) or known.given("game.r1"):
            why = "R1 keeps D smooth, and batch norm makes it learn fast"
            found["discriminator.norm"] = Derived("batch", why)
        return found

    def _time(self, known: Situation, others: Mapping[str, Any]) -> dict[str, Derived]:
        """Networks as wide as leaves `wanted` steps, and as many steps as the time holds."""
        halvings = HALVED if known.device == "cpu" else 0
        own = {path: known.default(path) for path in WIDTHS if known.takes(path, NARROWEST)}
        own = own if known.backbone.convolutional else {}
        if known.seconds is None:
            why = f"the network's own{f', halved {halvings} times for a CPU' if halvings else ''}"
            return {path: Derived(width, why) for path, width in _halved(own, halvings).items()}
        left = known.seconds

        def planned(halvings: int) -> Plan:
            return Plan.of(known.measure({**others, **_halved(own, halvings)}), left())

        found = planned(halvings)
        if own and found.steps < self.wanted and halvings < MOST_HALVED:
            halvings = MOST_HALVED
            found = planned(halvings)
        many = known.count() >= FEW  # a wide D learns few images by heart, and samples suffer
        while own and many and found.steps > COSTLIER * self.wanted and halvings > -1:
            halvings -= 1
            found = planned(halvings)
        if found.steps < FEWEST:
            raise UserError(
                f"{found.seconds / 60:.1f} minutes hold {found.steps} steps of this training: give it more "
                "--minutes, smaller data (dataset.size) or smaller networks"
            )
        lacking = halvings == MOST_HALVED and found.steps < self.wanted
        why = f"the widest that leaves {self.wanted:,} steps in the time"
        if lacking:
            why = f"the narrowest, for the time holds {found.steps:,} steps, not {self.wanted:,}"
        widths = {path: Derived(width, why) for path, width in _halved(own, halvings).items()}
        return {**widths, **found.settings()}


def _rate(known: Situation, derived: Mapping[str, Derived]) -> dict[str, Derived]:
    """The rate of the widest network, derived or given."""
    widths = [derived[path].value if path in derived else known.given(path) for path in WIDTHS]
    widest = max((width for width in widths if width), default=WIDE) if known.backbone.convolutional else WIDE
    why = "falling to 0: short trainings want ten times DCGAN's rate"
    above = f", and less, as 1 / width, above {WIDE}" if widest > WIDE else ""
    return {"trainer.lr": Derived(_rounded(RATE * min(1, WIDE / widest)), why + above)}


def _halved(widths: Mapping[str, int], times: int) -> dict[str, int]:
    """Widths halved, or doubled where `times` is negative."""
    return {path: max(NARROWEST, round(width / 2**times)) for path, width in widths.items()}


def _image(known: Situation) -> bool:
    return len(known.spec.x_shape) == 3


def _of_points(known: Situation) -> dict[str, Derived]:
    weight = known.method.balanced
    balanced = weight is not None and known.default(f"method.{weight}") == "balanced"
    ratio = Derived(0.25, "points are told apart by little, which a stronger pull would blur")
    return {
        **({"method.ratio": ratio} if balanced else {}),
        "game.r1": Derived(1.5e-4, "for points of unit variance"),
        "game.penalty_every": Derived(4, "lazily, at a fraction of the cost (StyleGAN2)"),
    }


def _codes(known: Situation) -> dict[str, Derived]:
    """Z: twice the root of x's dimension, as a power of two, and never more than that."""
    dimension = math.prod(known.spec.x_shape)
    size = min(dimension, 2 ** round(math.log2(2 * math.sqrt(dimension))))
    return {
        "generator.latent_size": Derived(size, f"twice the root of {dimension} values, as a power of two")
    }


def _machine(known: Situation) -> dict[str, Derived]:
    if known.device != "cpu":
        return {}
    return {"threads": Derived(1, "a second one gains little, and loses much on a busy machine")}


def _rounded(value: float) -> float:
    """To two digits, as people would write it."""
    return float(f"{value:.2g}")


dalikit_components = offer(Standard)
