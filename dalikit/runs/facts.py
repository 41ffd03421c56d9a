"""What run.json and scores.json say, as models."""

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from dalikit.functional.fitting import Fitting
from dalikit.interfaces import Dataset, DataSpec, Range, Standardization

FORMAT = 3
"""The version of this layout, stored in run.json."""


class DataFacts(BaseModel):
    """What a run must know of its data to be used without them."""

    model_config = ConfigDict(frozen=True, extra="allow")

    x_shape: tuple[PositiveInt, ...] = Field(min_length=1)
    value_range: tuple[float, float] | None
    classes: tuple[str, ...] | None = None
    preparation: str = ""
    fitting: Fitting | None = None
    standardization: Standardization | None = None
    float_range: Range | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> "DataFacts":
        """What is to be known of a data set."""
        also = ("preparation", "fitting", "standardization", "float_range")
        return cls(**asdict(dataset.spec), **{name: getattr(dataset, name) for name in also})

    @property
    def spec(self) -> DataSpec:
        """What players must know of the data."""
        return DataSpec(self.x_shape, self.value_range, self.classes)


class RunFacts(BaseModel):
    """What run.json says: format, what tells this run from others, the data, and whatever is told besides."""

    model_config = ConfigDict(frozen=True, extra="allow")

    format: int = FORMAT
    identity: str = ""
    data: DataFacts


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
