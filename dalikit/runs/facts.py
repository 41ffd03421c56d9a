"""What run.json and scores.json say, as models."""

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from dalikit.functional.fitting import Fitting
from dalikit.interfaces import Dataset, DataSpec, Part, Range, Stamp, Standardization
from dalikit.runs.manifest import ComponentFacts

FORMAT = 3
"""The version of this layout, stored in run.json."""


class DataFacts(BaseModel):
    """What a run must know of its data to be used without them, and to tell them from others.

    Runs of before stamps have none.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    x_shape: tuple[PositiveInt, ...] = Field(min_length=1)
    value_range: tuple[float, float] | None
    classes: tuple[str, ...] | None = None
    preparation: str = ""
    stamp: dict[Part, Stamp] | None = None
    fitting: Fitting | None = None
    standardization: Standardization | None = None
    float_range: Range | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> "DataFacts":
        """What is to be known of a data set."""
        also = ("preparation", "stamp", "fitting", "standardization", "float_range")
        return cls(**asdict(dataset.spec), **{name: getattr(dataset, name) for name in also})

    @property
    def spec(self) -> DataSpec:
        """What players must know of the data."""
        return DataSpec(self.x_shape, self.value_range, self.classes)

    def differences(self, now: "DataFacts") -> tuple[str, ...]:
        """What is other about the data of today, in words: nothing, where they are the same.

        Where one of the two has no stamps, what was said of them is all that can be compared.
        """
        if self.stamp is None or now.stamp is None:
            same = self.preparation == now.preparation
            return () if same else (f"they were told of as '{self.preparation}', now as '{now.preparation}'",)
        told = [
            f"{what} was {before}, now {after}"
            for what, before, after in (
                ("the shape", self.x_shape, now.x_shape),
                ("the range", self.value_range, now.value_range),
                ("the number of classes", len(self.classes or ()), len(now.classes or ())),
            )
            if before != after
        ]
        if not told and self.classes != now.classes:
            told.append("the classes have other names")
        found = (_difference(part, stamp, now.stamp.get(part)) for part, stamp in self.stamp.items())
        return (*told, *filter(None, found))


def _difference(part: Part, then: Stamp, now: Stamp | None) -> str:
    """What is other about a part; of stamps that are made of different shares the counts alone can tell."""
    if now is None or then.count != now.count:
        return f"the {part} part had {then.count:,} data, now {0 if now is None else now.count:,}"
    if then.looked_at == now.looked_at and then.sha256 != now.sha256:
        return f"the {part} part has {now.count:,} data as before, but others"
    return ""


class RunFacts(BaseModel):
    """What run.json says: format, what tells this run from others, the data, and whatever is told besides."""

    model_config = ConfigDict(frozen=True, extra="allow")

    format: int = FORMAT
    identity: str = ""
    data: DataFacts
    components: tuple[ComponentFacts, ...] = ()
    """What it was made of when it began; manifests know what it is made of since."""


class BestFacts(BaseModel):
    """What best.json says: of which step the best weights are, and by which values of a metric."""

    model_config = ConfigDict(frozen=True, extra="allow")

    step: int
    metric: str
    values: dict[str, float]
    """Its headline's, the weightiest first."""
    part: str = "validation"


class BestScores(BaseModel):
    """What scores.json says of the best weights: what they are best by, and scores as of the last ones."""

    model_config = ConfigDict(frozen=True, extra="allow")

    step: int
    by: BestFacts
    metrics: dict[str, dict[str, Any]]
    skipped: dict[str, str]


class FinalScores(BaseModel):
    """What scores.json says: of which step, weights and data, and each metric's values with its protocol.

    `best` has the same of the best weights, where they were kept.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    step: int
    weights: str
    data: DataFacts
    metrics: dict[str, dict[str, Any]]
    skipped: dict[str, str]
    best: BestScores | None = None
