"""Named combinations: backbones, recipes and studies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from dalikit.interfaces.kinds import Component, Kind


@dataclass(frozen=True)
class Backbone(Component):
    """A family of networks by the names of its generator, discriminator and encoder.

    Attributes:
        convolutional: whether `width` counts the channels of maps, so that resolution multiplies its cost;
            such networks are made narrower where there is little time.
    """

    kind: ClassVar[Kind] = Kind("backbone", objects=True)
    name: str  # type: ignore[misc]
    description: str
    generator: str
    discriminator: str
    encoder: str
    convolutional: bool = False


@dataclass(frozen=True)
class Recipe(Component):
    """A named experiment: what it is, the paper's row it stands for, and the RunConfig fields it sets."""

    kind: ClassVar[Kind] = Kind("recipe", objects=True)
    name: str  # type: ignore[misc]
    description: str
    stands_for: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class StudyColumn:
    """One measure of a study: the metric's field behind it, and how a figure is shown.

    `scale` multiplies the field's value (100 makes a share a percentage); `digits` follow the point;
    `better` says which figures are better, None that nobody says.
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
        budgets: by budget, then by data set, further fields on top of those, where a budget means something
            for this row alone.
        paper: the paper's own figures, by data set and column, as the column shows them; a pair is a figure
            and what stands behind its ±. One that the paper does not give is left out.
    """

    name: str
    label: str
    recipe: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    budgets: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    paper: Mapping[str, Mapping[str, float | tuple[float, float]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Study(Component):
    """A table or figure to reproduce: rows of systems, trained on data sets, measured by columns.

    Attributes:
        budgets: by name ("quick", "paper"), then by data set, the RunConfig fields that it sets.
        pictures: "samples" or "reconstructions" to be put together as one picture, instead of the table's.
        notes: what a reader must know to compare the figures with the paper's.
    """

    kind: ClassVar[Kind] = Kind("study", objects=True)
    name: str  # type: ignore[misc]
    description: str
    stands_for: str
    datasets: tuple[str, ...]
    rows: tuple[StudyRow, ...]
    columns: tuple[StudyColumn, ...]
    budgets: Mapping[str, Mapping[str, Mapping[str, Any]]]
    pictures: tuple[Literal["samples", "reconstructions"], ...] = ()
    notes: tuple[str, ...] = ()
