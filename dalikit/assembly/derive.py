"""Settings that nobody gave, filled in: by the data set for itself, by the rules for all else."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from dalikit.assembly.checking import roles_of
from dalikit.assembly.devices import find_device
from dalikit.assembly.registry import Registry
from dalikit.errors import UnfitError, UserError
from dalikit.interfaces import Dataset, Derived, Pace, Rules, Situation, describe
from dalikit.runs.config import RunConfig

PATIENCE, SHARE = 12.0, 0.05
"""Seconds, and the share of the time that is left, after which a measurement is long enough."""

Check = Callable[[RunConfig], RunConfig]
Timed = Callable[[RunConfig, float], Pace]
Seconds = Callable[[], float] | None


def look_up(settings: Any, path: str) -> Any:
    """What stands at a dotted path of nested mappings, or None.

    Examples:
        >>> look_up({"trainer": {"lr": 0.1}}, "trainer.lr"), look_up({}, "trainer.lr")
        (0.1, None)
    """
    for key in path.split("."):
        settings = settings.get(key) if isinstance(settings, Mapping) else None
    return settings


def put(settings: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The settings with `value` at a dotted path.

    Examples:
        >>> put({"trainer": {"lr": 0.1}}, "trainer.steps", 5)
        {'trainer': {'lr': 0.1, 'steps': 5}}
    """
    key, dot, rest = path.partition(".")
    return {**settings, key: put(settings.get(key) or {}, rest, value) if dot else value}


def fill(config: RunConfig, found: Mapping[str, Derived]) -> RunConfig:
    """The configuration with what was `found`, by dotted path, wherever nothing stands."""
    settings = config.model_dump()
    for path, derived in found.items():
        if look_up(settings, path) is None:
            settings = put(settings, path, derived.value)
    return RunConfig.model_validate(settings)


class Derivation:
    """What is found for a configuration whose components are named, and what of it means something there.

    Args:
        config: all components named, no parameter filled in.
        dataset: its data set.
        check: makes a configuration complete, or raises `UserError`.
        timed: measures the pace of a complete one, for so many seconds at most.
        seconds: see `Situation`.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        registry: Registry,
        check: Check,
        timed: Timed,
        seconds: Seconds,
    ) -> None:
        self.config, self.dataset, self.registry = config, dataset, registry
        self.check, self.timed, self.seconds = check, timed, seconds
        self._settings = config.model_dump()

    def derive(self, rules: Rules) -> dict[str, Derived]:
        """What the rules find, without what is given already or means nothing to the components named.

        Raises:
            UnfitError: the rules make a setting that the trainer has not, or that it refuses.
        """
        known = Situation(
            spec=self.dataset.spec,
            count=lambda: self.dataset.train_count or len(self.dataset.split("train")),
            method=self.registry.get("method", str(self.config.method.name)),
            device=find_device(self.config.device).type,
            seconds=self.seconds,
            takes=self.takes,
            roles=roles_of(self.config, self.registry),
            backbone=self.registry.get("backbone", str(self.config.backbone)),
            default=self.default,
            given=self.given,
            measure=self.measure,
        )
        found = rules.derive(known)
        taken = self._meaningful(found)
        for path in found.keys() - taken.keys():  # components may lack a setting, but there is one trainer
            if path.count(".") == 1 and path.startswith("trainer.") and self.given(path) is None:
                raise UnfitError(f"{describe(rules)} makes {path} = {found[path].value!r}, which is refused")
        return taken

    def given(self, path: str) -> Any:
        """What stands at a dotted path, or None."""
        return look_up(self._settings, path)

    def default(self, path: str) -> Any:
        """What stands at a dotted path of the completed configuration where nobody says anything."""
        return look_up(self.check(self.config).model_dump(), path)

    def takes(self, path: str, value: Any) -> bool:
        """Whether the configuration is sound with `value` at `path`, and nothing stands there."""
        section, _, _ = path.rpartition(".")
        holder = {} if section == "" else self.given(section)
        if holder is None and section == "trainer.optimizer":  # nobody has said which, and any has settings
            holder = {}
        if not isinstance(holder, Mapping) or self.given(path) is not None:  # what is off stays off
            return False
        try:
            self.check(RunConfig.model_validate(put(self._settings, path, value)))
        except UserError:
            return False
        return True

    def measure(self, settings: Mapping[str, Any]) -> Pace:
        """The pace of a training with these settings, of those that mean something."""
        found = {path: Derived(value, "") for path, value in settings.items()}
        config = self.check(fill(self.config, self._meaningful(found)))
        left = math.inf if self.seconds is None else self.seconds()
        return self.timed(config, min(PATIENCE, SHARE * left))

    def _meaningful(self, found: Mapping[str, Derived]) -> dict[str, Derived]:
        return {path: each for path, each in found.items() if self.takes(path, each.value)}
