"""`check_component`: every kind goes through it, and what is wrong in a training alone is found."""

import pytest
import torch
from refusing import refused

from dalikit import testing
from dalikit.assembly.registry import Registry
from dalikit.components.games.gan import GAN
from dalikit.components.methods.gan import PlainGAN
from dalikit.interfaces import Backbone, Callback, Recipe, Study, StudyColumn, StudyRow
from dalikit.testing.whole import CHECKS

COMBINING = {"recipe": "digits", "rules": "standard", "study": "figure1"}
"""Kinds without a template: tests/cli/test_plugins_new.py has a component of each other kind checked."""


@pytest.mark.parametrize("kind", COMBINING)
def test_a_component_of_a_kind_without_a_template(kind):
    testing.check_component(Registry.discover().get(kind, COMBINING[kind]))


def test_every_kind_of_dalikits_own_is_checked():
    own = {row.kind for row in Registry.discover().rows if row.distribution == "dalikit"}
    assert own == set(CHECKS)


class Soft(GAN):
    """Nobody has installed it."""

    name = "soft"

    def __init__(self, *, weight: float = 1.0):
        super().__init__()
        self.weight = weight

    def generator_loss(self, fake, real=None):
        return self.weight * super().generator_loss(fake, real)


def test_it_need_not_be_installed_and_takes_settings():
    testing.check_component(Soft, weight=0.5)
    with refused("has no parameter 'wait'. Did you mean 'weight'"):
        testing.check_component(Soft, wait=0.5)


def test_something_that_is_no_component():
    class Loose(GAN):
        name = "loose"

        def __init__(self, weight: float = 1.0):
            super().__init__()

    with refused("argument 'weight' must stand before '/'"):
        testing.check_component(Loose)


class Tired(GAN):
    """The contract's own check finds nothing: it fails in the third of its steps."""

    name = "tired"
    steps = 0

    def discriminator_loss(self, real, fake):
        if isinstance(self.progress, torch.Tensor) and float(self.progress) > 0.3:
            raise ValueError("worn out")
        return super().discriminator_loss(real, fake)


class Hoarding(PlainGAN):
    """What it goes on from is kept nowhere that a checkpoint holds."""

    name = "hoarding"

    def advance(self, progress):
        super().advance(progress)
        self.told = getattr(self, "told", 0) + 1

    def generator_loss(self, iteration):
        loss = super().generator_loss(iteration)
        return type(loss)(self.told * loss.total, loss.terms)


class Appending(Callback):
    """It writes into a file, and does not know after a resume how far that was right."""

    name = "appending"

    def __init__(self, context, /):
        self.path = context.run.path / "steps.txt"

    def fit_start(self, fit):
        self.add("begun")

    def step_end(self, fit):
        self.add(fit.step)

    def add(self, line):
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a") as file:
            file.write(f"{line}\n")


class Failing(Callback):
    name = "failing"

    def logged(self, fit, record):
        if record["event"] == "score":
            raise ValueError("worn out")


@pytest.mark.parametrize(
    ("component", "says"),
    [
        (Tired, "game 'tired' .*worn out"),
        (Hoarding, r"stopped at step 2 and resumed ends with other average/"),
        (Appending, "files are .*'steps.txt': 7"),
        (Failing, r"callbacks failed \(failing\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:callback 'failing'")
def test_what_is_wrong_in_a_training_alone(component, says):
    with refused(says):
        testing.check_component(component)


def test_a_kind_of_a_third_party_has_its_form_and_its_training_checked(tmp_path, monkeypatch):
    import fakes

    fakes.install_file(tmp_path, monkeypatch, "prior")
    registry = Registry.discover()
    testing.check_component(registry.get("prior", "normal"), scale=2.0)


def test_a_backbone():
    with refused("its generator 'nobodys' is offered by nobody"):
        testing.check_backbone(Backbone("odd", "odd", "nobodys", "mlp", "mlp"))
    with refused("description is empty"):
        testing.check_backbone(Backbone("odd", "", "mlp", "mlp", "mlp"))


def test_a_recipe():
    with refused("Unknown game 'nobodys'"):
        testing.check_recipe(Recipe("odd", "odd", "no row", {"game": "nobodys"}))
    with refused("stands_for is empty"):
        testing.check_recipe(Recipe("odd", "odd", "", {}))


def test_a_study():
    rows = (StudyRow("gan", "GAN", "digits", {"game": "nobodys"}),)
    columns = (StudyColumn("MSE", "reconstruction", "mse_01"),)
    budgets = {"quick": {"digits": {"trainer": {"steps": 5}}}}
    study = Study("odd", "odd", "no table", ("digits",), rows, columns, budgets)
    with refused(r"row 'gan' on digits under budget 'quick' cannot be planned \(Unknown game 'nobodys'"):
        testing.check_study(study)
    with refused("column 'x' is of metric 'nobodys'"):
        testing.check_study(
            Study("odd", "odd", "no table", ("digits",), rows, (StudyColumn("x", "nobodys", "y"),), budgets)
        )
    with refused("it has no budgets"):
        testing.check_study(Study("odd", "odd", "no table", ("digits",), rows, columns, {}))
