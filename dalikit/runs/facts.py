"""What run.json and scores.json say, as models."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

FORMAT = 1
"""The version of this layout, stored in run.json."""


class DataFacts(BaseModel):
    """What a run must know of its data to be used without them."""

    model_config = ConfigDict(frozen=True, extra="allow")

    x_shape: tuple[PositiveInt, ...] = Field(min_length=1)
    value_range: tuple[float, float] | None
    preparation: str = ""


class Facts(BaseModel):
    """What run.json says: the format, the data, and whatever is told besides (versions, environment)."""

    model_config = ConfigDict(frozen=True, extra="allow")

    format: int = FORMAT
    data: DataFacts


class FinalScores(BaseModel):
    """What scores.json says: of which step, weights and data, and each metric's values with its protocol."""

    model_config = ConfigDict(frozen=True, extra="allow")

    step: int
    weights: str
    data: DataFacts
    metrics: dict[str, dict[str, Any]]
    skipped: dict[str, str]
