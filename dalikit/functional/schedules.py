"""How a rate or a weight moves over training: one record for all of them.

Symbols: p the share of training that is done, from 0 to 1.
"""

import math
from typing import Annotated, Any, Literal

import torch
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from torch import Tensor

Form = Literal["constant", "linear", "cosine", "inverse-sqrt"]


class Schedule(BaseModel):
    """A factor that starts at 1; written as its form alone where that says all.

    Attributes:
        form: `constant`; `linear`, 1 - p; `cosine`, ½(1 + cos πp); or `inverse-sqrt`, 1/√t (Kingma and Ba
            2014, section 4, which DALI follows), t counting from 1 in units of `period`.
        warmup: the share of training in which the factor is first raised, linearly, from 0 in the first step.
        period: one unit of t as a share of training; a rate's is an epoch unless told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    form: Form = "constant"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    period: Annotated[float, Field(gt=0)] | None = None

    def factor(self, p: Tensor | float, period: float = 1.0) -> Tensor | float:
        """The factor at p, and 1 where it never moves; `period` stands in where it has none of its own.

        Examples:
            >>> p = torch.tensor([0.0, 0.25, 0.5])
            >>> Schedule(form="linear").factor(p)
            tensor([1.0000, 0.7500, 0.5000])
            >>> Schedule(form="inverse-sqrt", period=0.1).factor(torch.tensor([0.0, 0.05, 0.31]))
            tensor([1.0000, 1.0000, 0.5000])
            >>> Schedule(warmup=0.5).factor(p)
            tensor([0.0000, 0.5000, 1.0000])
        """
        if self == Schedule():
            return 1.0
        p = torch.tensor(p, dtype=torch.float64) if not isinstance(p, Tensor) else p
        raised = (p / self.warmup).clamp(max=1) if self.warmup else torch.ones_like(p)
        if self.form == "linear":
            return raised * (1 - p).clamp(min=0)
        if self.form == "cosine":
            return raised * 0.5 * (1 + torch.cos(math.pi * p))
        if self.form == "inverse-sqrt":  # the small term: a step on the border counts for the new unit
            return raised * torch.rsqrt(1 + torch.floor(p / (self.period or period) + 1e-4))
        return raised

    @model_serializer(mode="wrap")
    def _short(self, handler: SerializerFunctionWrapHandler) -> Any:
        return self.form if self == Schedule(form=self.form) else handler(self)


def schedule(value: Any) -> Any:
    """A schedule from its form, from a mapping, or as it is.

    Examples:
        >>> schedule("linear")
        Schedule(form='linear', warmup=0.0, period=None)
    """
    if isinstance(value, str):
        return Schedule.model_validate({"form": value})
    return Schedule.model_validate(value) if isinstance(value, dict) else value


ScheduleLike = Annotated[Schedule, BeforeValidator(schedule, json_schema_input_type=Form | Schedule)]
"""A parameter that takes a schedule, or its form alone: `linear`, `{form: cosine, warmup: 0.05}`."""
