"""One component through its whole contract: its form, its kind's own checks, and a tiny training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dalikit.assembly import build, resolve
from dalikit.assembly.checking import kinds_of, parameters_of
from dalikit.assembly.offers import identify
from dalikit.assembly.parameters import parameter_model, supplied_to
from dalikit.assembly.registry import Registry, Row
from dalikit.errors import DalikitError, PluginError, UserError
from dalikit.interfaces import Dataset, Kind, Method
from dalikit.runs import Context, DataFacts, RunDirectory, RunFacts
from dalikit.runs.config import RunConfig
from dalikit.testing import combinations, data, games, methods, players, rules
from dalikit.testing.training import TINY, check_training

SOURCES = ("digits", "grid25")
"""The data that a component is tried on: the first that it takes."""


def check_component(component: Any, /, beside: Mapping[str, Any] | None = None, **settings: Any) -> None:
    """Check a component of any kind through the whole contract, a training of some steps among it.

        check_component(MyGame)
        check_component(MyGame, weight=0.5)
        check_component(MyAugmentation, beside={"dataset": "my-pictures"})

    It need not be installed; a backbone's networks and what a recipe or a study names must be.

    Args:
        component: a class, or an object where the kind has objects (Backbone, Recipe, Study).
        beside: sections of a configuration that the training is to have, where it fits no other.
        settings: its parameters, its own defaults unless given.

    Raises:
        AssertionError: the contract wants something else; it says what is, and what should be.
    """
    try:
        identify(component)
    except PluginError as error:
        raise AssertionError(
            f"it cannot be offered: {error}; it should be a component, whole and named"
        ) from None
    subject = Subject(component, settings, dict(beside or {}))
    if (check := CHECKS.get(subject.kind.name)) is not None:
        check(subject)
    if (sections := subject.sections) is not None:
        check_training(sections, subject.registry)


@dataclass(frozen=True)
class Subject:
    """A component that is checked, with its parameters, and sections of a configuration beside it."""

    component: Any
    settings: Mapping[str, Any]
    beside: Mapping[str, Any]

    @property
    def kind(self) -> Kind:
        """Its kind."""
        return self.component.kind

    @cached_property
    def registry(self) -> Registry:
        """All that is installed, and it, in the place of another of its name."""
        rows, kind, name = Registry.discover().rows, self.kind.name, self.component.name
        if any(row.component is self.component and row.state == "ok" for row in rows):
            return Registry(rows)
        others = [row for row in rows if (row.kind, row.name) != (kind, name)]
        return Registry([*others, Row(kind, name, "what is checked", "", "ok", component=self.component)])

    def build(self, *supplied: Any) -> Any:
        """It, built from as much of what its kind is supplied with as it takes."""
        return self.component(*supplied[: supplied_to(self.component)], **self.parameters)

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """All its parameters, checked as a user's are."""
        try:
            return parameters_of(self.kind.name, self.component.name, self.settings, self.registry)
        except UserError as error:
            raise AssertionError(f"{error}; it should take the settings that it is checked with") from None

    @property
    def sections(self) -> dict[str, Any] | None:
        """A configuration's sections by which a run is made of it; None where none is."""
        kind, slot = self.kind, {"name": self.component.name, **self.settings}
        if kind.name in ("recipe", "study"):
            return None
        if kind.name == "backbone":
            return {"backbone": self.component.name, **self.beside}
        if kind.name == "optimizer":
            return {"trainer": {"optimizer": slot}, **self.beside}
        if kind.name in ("callback", "metric"):
            return {
                f"{kind.name}s": {self.component.name: {**self.often, **self.settings}},
                **self.data,
                **self.beside,
            }
        return {kind.name: slot, **(self.method if kind.player else {}), **self.beside}

    @property
    def often(self) -> dict[str, Any]:
        """That a callback does its work in every step, where that is a parameter."""
        return {"every": 1} if "every" in parameter_model(self.component).model_fields else {}

    @cached_property
    def data(self) -> dict[str, Any]:
        """The data that a metric takes; anybody's else are the default ones."""
        if self.kind.name != "metric" or "dataset" in self.beside:
            return {}
        return {"dataset": measured_on(self)}

    @cached_property
    def method(self) -> dict[str, Any]:
        """A method that asks for a player of its kind."""
        default = str(self.registry.kinds["method"].default)
        for name in (default, *self.registry.names("method")):
            cls: type[Method] = self.registry.get("method", name)
            roles = cls.roles(**parameters_of("method", name, {}, self.registry))
            if self.kind.name in kinds_of(roles) and not any(role.frozen for role in roles.values()):
                return {"method": name}
        return {}

    def config(self, **sections: Any) -> RunConfig:
        """A tiny run's, resolved."""
        return resolve.resolve_layers([TINY, self.beside, sections], self.registry)


def measured_on(subject: Subject) -> str:
    """The first of `SOURCES` that a metric takes.

    Raises:
        AssertionError: it takes none.
    """
    refusals = []
    for name in SOURCES:
        config = subject.config(dataset=name, metrics={})
        dataset = build.make_dataset(config, subject.registry)
        try:
            made = _maker(subject, dataset)("test")
            refused = made.unfit(build.make_method(config, dataset.spec, subject.registry))
        except DalikitError as error:
            refused = str(error)
        if not refused:
            return name
        refusals.append(f"{name}: {refused}")
    raise AssertionError(
        f"it takes none of the data at hand ({'; '.join(refusals)}); it should be checked `beside` a "
        "dataset that it takes"
    )


def _maker(subject: Subject, dataset: Dataset) -> Any:
    name = subject.component.name
    return build.make_metrics({name: subject.parameters}, dataset, subject.registry)[name]


def _method(subject: Subject) -> None:
    config = subject.config(method={"name": subject.component.name, **subject.settings})
    dataset = build.make_dataset(config, subject.registry)
    methods.check_method(partial(build.make_method, config, dataset.spec, subject.registry), dataset)


def _dataset(subject: Subject) -> None:
    data.check_dataset(subject.build(None))


def _metric(subject: Subject) -> None:
    config = subject.config(metrics={}, **subject.data)
    dataset = build.make_dataset(config, subject.registry)
    method = build.make_method(config, dataset.spec, subject.registry).eval()
    data.check_metric(_maker(subject, dataset), method)


def _callback(subject: Subject) -> None:
    config = subject.config()
    dataset = build.make_dataset(config, subject.registry)
    with TemporaryDirectory() as folder:
        run = RunDirectory(Path(folder) / "run")
        run.create(config, RunFacts(data=DataFacts.of(dataset)))
        metrics = build.make_metrics(config.metrics, dataset, subject.registry)
        often = Subject(subject.component, {**subject.often, **subject.settings}, subject.beside)
        made = often.build(Context(run, dataset, metrics))
        methods.check_callback(
            made, partial(build.make_method, config, dataset.spec, subject.registry), dataset
        )


CHECKS: Mapping[str, Callable[[Subject], None]] = {
    "game": lambda subject: games.check_game(subject.build()),
    "posterior": lambda subject: players.check_posterior(subject.build),
    "generator": lambda subject: players.check_generator(subject.build),
    "discriminator": lambda subject: players.check_discriminator(subject.build),
    "encoder": lambda subject: players.check_encoder(subject.build),
    "augmentation": lambda subject: players.check_augmentation(subject.build),
    "optimizer": lambda subject: methods.check_optimizer(subject.build()),
    "rules": lambda subject: rules.check_rules(subject.build()),
    "method": _method,
    "dataset": _dataset,
    "metric": _metric,
    "callback": _callback,
    "backbone": lambda subject: combinations.check_backbone(subject.component, subject.registry),
    "recipe": lambda subject: combinations.check_recipe(subject.component, subject.registry),
    "study": lambda subject: combinations.check_study(subject.component, subject.registry),
}
"""By kind; one from a third party has the form and the training checked."""
