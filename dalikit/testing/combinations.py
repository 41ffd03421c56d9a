"""The contract of what names others: backbones, recipes, studies."""

from collections.abc import Callable
from pathlib import Path

from dalikit.assembly import build, resolve
from dalikit.assembly.parameters import supplied_to
from dalikit.assembly.registry import Registry, Row
from dalikit.errors import DalikitError
from dalikit.interfaces import Backbone, Method, Recipe, Study, describe
from dalikit.runs.config import NETWORKS, RunConfig
from dalikit.studies.plan import make_plan
from dalikit.testing.players import check_discriminator, check_encoder, check_generator

CHECKS: dict[str, Callable[..., None]] = {
    "generator": check_generator,
    "discriminator": check_discriminator,
    "encoder": check_encoder,
}


def check_backbone(backbone: Backbone, registry: Registry | None = None) -> None:
    """Its three networks are there, and each meets the contract of its kind.

    Args:
        backbone: whose networks are checked.
        registry: where they are looked up; all installed components by default.
    """
    known = registry or Registry.discover()
    assert backbone.description, "its description is empty; it should say in a few words what it is made of"
    own = next((row for row in known.rows if row.component is backbone), None)
    for kind in NETWORKS:
        name = getattr(backbone, kind)
        full = name if own is None else known.beside(own, kind, name)
        assert known.has(kind, full), (
            f"its {kind} '{name}' is offered by nobody; it should be offered beside it, or be one of "
            f"{', '.join(known.names(kind))}"
        )
        cls = known.get(kind, full)
        CHECKS[kind](lambda *supplied, cls=cls: cls(*supplied[: supplied_to(cls)]))


def check_recipe(recipe: Recipe, registry: Registry | None = None) -> None:
    """It resolves, and the method that it names is built on its data's shape; no data are read.

    Args:
        recipe: what is resolved.
        registry: what it is made of; all installed components by default, to which it is added.
    """
    known = registry or Registry.discover()
    assert recipe.description, "its description is empty; it should say in a few words what it trains"
    assert recipe.stands_for, (
        "stands_for is empty; it should say which row of a paper it is, or that it is none"
    )
    if not any(row.component is recipe for row in known.rows):
        own = Row("recipe", recipe.name, "what is checked", "", "ok", component=recipe)
        known = Registry([*(r for r in known.rows if (r.kind, r.name) != ("recipe", recipe.name)), own])
    method = _method_of({"recipe": recipe.name, "trainer": {"steps": 1}}, known)
    assert method.phases(), f"{describe(method)} has no phases; a recipe's method should train something"


def _method_of(settings: dict[str, object], registry: Registry) -> Method:
    try:
        config: RunConfig = resolve.resolve_layers([settings], registry)
        return build.make_method(config, build.make_dataset(config, registry).spec, registry, borrow=False)
    except DalikitError as error:
        raise AssertionError(
            f"its settings cannot be used ({error}); they should resolve as a command's do"
        ) from error


def check_study(study: Study, registry: Registry | None = None) -> None:
    """Every row resolves on every data set under each of its budgets, and its columns are of known metrics.

    Args:
        study: what is planned; nothing is trained or written.
        registry: what its rows are made of; all installed components by default.
    """
    known = registry or Registry.discover()
    assert study.stands_for, "stands_for is empty; it should say which table it is, or that it is none"
    assert study.rows, "it has no rows; a table should have some"
    assert study.columns, "it has no columns; a table should have some"
    for column in study.columns:
        assert known.has("metric", column.metric), (
            f"column '{column.name}' is of metric '{column.metric}', which nobody offers; it should "
            f"be one of {', '.join(known.names('metric'))}"
        )
    assert study.budgets, "it has no budgets; it should have one at least, with the settings of each data set"
    for budget, by_dataset in study.budgets.items():
        for run in make_plan(study, known, Path("nowhere"), budget, datasets=list(by_dataset)).runs:
            assert run.config is not None, (
                f"row '{run.row.name}' on {run.dataset} under budget '{budget}' cannot be planned "
                f"({run.fault}); it should resolve"
            )
