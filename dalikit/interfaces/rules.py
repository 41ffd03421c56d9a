"""What settings are made of that nobody gave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dalikit.interfaces.derived import Derived
from dalikit.interfaces.kinds import Component, Kind

if TYPE_CHECKING:
    from dalikit.interfaces.combinations import Backbone
    from dalikit.interfaces.methods import Method, Role
    from dalikit.interfaces.spec import DataSpec


@dataclass(frozen=True)
class Pace:
    """How long a training takes on this machine, in seconds, as it was measured.

    Attributes:
        step: of one iteration, the mean over those with a penalty and without.
        pause: of one stop on the way: scores by validation, pictures, a checkpoint.
        end: of the final scores.
    """

    step: float
    pause: float
    end: float


@dataclass(frozen=True)
class Situation:
    """What is known when settings are derived.

    Attributes:
        spec: the data.
        count: says how many of them there are to train on; they are read for it, if nobody knows.
        method: which settings are for.
        roles: the players it needs, by role.
        backbone: the family of its networks.
        device: the kind of device, "cpu" or "cuda".
        seconds: says how many are left, now, for the training and its scores; None where the number of steps
            is given.
        takes: whether a setting, by its dotted path, means something in this configuration, with this value.
        default: what a setting is where nobody gives or derives it, its component's own default.
        given: what the user or a recipe has set it to, by its dotted path, or None.
        measure: the pace of a training with these settings, by path; it takes some seconds.
    """

    spec: DataSpec
    count: Callable[[], int]
    method: type[Method]
    roles: Mapping[str, Role]
    backbone: Backbone
    device: str
    seconds: Callable[[], float] | None
    takes: Callable[[str, Any], bool]
    default: Callable[[str], Any]
    given: Callable[[str], Any]
    measure: Callable[[Mapping[str, Any]], Pace]


class Rules(Component, ABC):
    """Makes settings that neither the user nor a recipe gave: from the data, the machine and the time."""

    kind = Kind("rules", default="standard")

    @abstractmethod
    def derive(self, known: Situation) -> Mapping[str, Derived]:
        """Settings by their dotted paths. What is given already, or means nothing here, is passed over."""
