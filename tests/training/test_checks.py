"""What breaks the contract is refused: where a trainer is made, or in its first step, and by name."""

import pytest
import torch
from players import BOTH, CLASSES, PLANE, Points, Recorder, small
from torch import nn

from dalikit.components.methods.dali import DALI
from dalikit.components.methods.gan import PlainGAN
from dalikit.components.methods.unrolled import Unrolled
from dalikit.components.optimizers.adam import Adam
from dalikit.components.optimizers.adamw import AdamW
from dalikit.components.optimizers.sgd import SGD
from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.errors import UnfitError
from dalikit.interfaces import Callback, DataSpec, PhaseLoss, TensorSplit
from dalikit.training import Trainer

G = {"name": "g", "trains": ("generator",)}


class Toy(Recorder):
    """A third party's method; all its roles ask for gradients."""

    origin = "toys 0.1"

    def __init__(self, *phases, loss=None):
        super().__init__(*phases)
        self.requires_grad_(True)
        self.loss = loss

    def _recorded(self, name):
        if self.loss is None:
            return super()._recorded(name)
        return lambda iteration: PhaseLoss(self.loss(self, iteration), {})


def refuse(method, says, data=None, **settings):
    """Refused before anything is trained, in one line."""
    before = [p.detach().clone() for p in method.parameters()]
    with pytest.raises(UnfitError, match=says) as refused:
        Trainer(method, data or Points(), steps=1, batch_size=6, **settings).fit()
    assert "\n" not in str(refused.value)
    assert all(torch.equal(a, b) for a, b in zip(before, method.parameters(), strict=True))


def test_a_method_without_phases():
    refuse(Toy(), r"method 'recorder' of toys 0\.1 has no phases")


def test_a_role_that_is_not_there():
    phase = {"name": "d", "trains": ("critic", "critics")}
    refuse(Toy(phase), r"'recorder' of toys 0\.1: phase 'd' trains 'critics', which is no module of it")


def test_parameters_that_nobody_trains():
    refuse(Toy(*BOTH), r"'recorder' of toys 0\.1 trains no 'bystander', but player 'Norm' has parameters")


def test_a_posterior_with_parameters_that_no_phase_trains():
    class Scaled(Diagonal):
        name, origin = "scaled", "flows 2.0"

        def __init__(self, latent_size, /):
            super().__init__(latent_size)
            self.scale = nn.Parameter(torch.ones(latent_size))

    class Careless(DALI):
        name = "careless"

        def phases(self):
            first, both = super().phases()
            return first, type(both)(both.name, ("generator", "encoder"), both.loss)

    settings = {"steps": 1, "batch_size": 6}
    Trainer(small(DALI, family=Scaled), Points(), **settings)
    Trainer(small(Careless), Points(), **settings)
    refuse(
        small(Careless, family=Scaled),
        r"'careless' trains no 'family', but posterior 'scaled' of flows 2\.0 has parameters",
    )


def test_frozen_parameters_need_no_phase():
    method = Toy(*BOTH)
    method.bystander.requires_grad_(False)
    Trainer(method, Points(), steps=1, batch_size=6).fit()


def frozen_but_g(method):
    for role, player in method.named_children():
        player.requires_grad_(role == "generator")
    return method


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (lambda m, i: m.generator(i.z).detach().mean(), "has no gradient; a scalar with one is needed"),
        (lambda m, i: i.real.mean(), "has no gradient"),
        (lambda m, i: i.fake.mean(1), r"has shape \(6,\); a scalar with one is needed"),
        (lambda m, i: i.fake.mean()[None], r"has shape \(1,\)"),
    ],
)
def test_a_loss_without_a_gradient_or_of_several_values(loss, says):
    method = frozen_but_g(Toy(G, loss=loss))
    refuse(method, rf"method 'recorder' of toys 0\.1: the loss of phase 'g' {says}")


def test_a_phase_that_trains_nothing_with_parameters():
    class Bare(Toy):
        def __init__(self, *phases):
            super().__init__(*phases)
            self.nobody = nn.Identity()

    method = frozen_but_g(Bare(G, {"name": "idle", "trains": ("nobody",)}))
    with pytest.raises(UnfitError, match=r"toys 0\.1: phase 'idle' trains roles without parameters"):
        Trainer(method, Points(), steps=1, batch_size=6).fit()


@pytest.mark.parametrize("optimizer", [SGD(momentum=0.5), AdamW()], ids=lambda o: o.name)
def test_a_method_that_reads_moments_has_the_optimizer_it_needs(optimizer):
    says = rf"^method 'unrolled' reads the moments of Adam: .*must be adam, not {optimizer.name}$"
    refuse(small(Unrolled), says, make_optimizer=lambda _: optimizer)


def test_only_the_role_that_it_reads_is_bound_to_it():
    def make(settings):
        return Adam() if settings.optimizer.get("name", "adam") == "adam" else SGD()

    roles = {"generator": {"optimizer": {"name": "sgd"}}}
    Trainer(small(Unrolled), Points(), steps=2, batch_size=6, make_optimizer=make, roles=roles).fit()
    roles = {"discriminator": {"optimizer": {"name": "sgd"}}}
    refuse(small(Unrolled), "must be adam, not sgd", make_optimizer=make, roles=roles)


class Labelled(Points):
    """Points whose labels are said by the test, and counted as they are or as `counted`."""

    def __init__(self, labels, spec, counted=None):
        super().__init__(6)
        self.spec, self.labels, self.counted = spec, labels, counted

    def split(self, part):
        split = TensorSplit(self.data, self.labels)
        if self.counted is not None:
            split.class_counts = lambda classes: torch.tensor(self.counted)
        return split


RGB = DataSpec((2,), classes=CLASSES)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (Points(6), "conditional=true needs data with labels, and dataset 'points' has none"),
        (Labelled(None, RGB), "conditional=true needs data with labels, and dataset 'points' has none"),
        (Labelled(None, RGB, [1, 1, 1]), "conditional=true needs data with labels"),
        (Labelled(torch.tensor([0, 1, 2, 0, 1, 3]), RGB), "label of the data is 3, .*none of the 3 classes"),
        (Labelled(torch.tensor([0, 1, 2, 0, 1, -1]), RGB), "a label of the data is -1"),
        (Labelled(torch.tensor([0, 1, 2, 0, 1, 3]), RGB, [2, 2, 2]), "gives labels 0 to 3 of 3"),
        (Labelled(torch.tensor([0, 1, 2, 0, 1, -1]), RGB, [2, 2, 2]), "gives labels -1 to 2 of 3"),
    ],
)
def test_labels_that_are_missing_or_out_of_range(data, says):
    refuse(small(PlainGAN, conditional=True), says, data)


def test_what_is_not_conditional_may_have_labels_of_any_kind():
    data = Labelled(torch.tensor([0, 1, 2, 0, 1, 9]), RGB)
    Trainer(small(PlainGAN), data, steps=1, batch_size=6).fit()


def test_a_conditional_method_on_data_without_labels_cannot_be_made():
    with pytest.raises(UnfitError, match="method 'gan': conditional=true needs data with labels"):
        PlainGAN(generator=small(PlainGAN, spec=PLANE).generator, conditional=True)


def test_a_setting_or_a_player_that_is_mistyped():
    with pytest.raises(UnfitError, match=r"method 'dali' has no setting 'lamb', and 0\.5 is no player"):
        DALI(lamb=0.5)


def test_callbacks_without_a_name_of_their_own():
    class Nameless(Callback):
        pass

    class Named(Callback):
        name = "one"

    for callbacks in ([Nameless()], [Named(), Named()]):
        with pytest.raises(UnfitError, match="needs a name of its own"):
            Trainer(small(PlainGAN), Points(), callbacks, steps=1)


def test_a_callback_whose_state_is_not_as_json_has_it_is_named():
    class Keeping(Callback):
        name = "keeping"

        def state(self):
            return {"tensor": torch.zeros(1)}

    trainer = Trainer(small(PlainGAN), Points(), [Keeping()], steps=1)
    with pytest.raises(UnfitError, match="The state of callback 'keeping' is not as JSON has it"):
        trainer.state()


def test_an_optimizer_that_keeps_what_could_not_be_resumed():
    class Counting(torch.optim.SGD):
        def step(self):
            super().step()
            for group in self.param_groups:
                for parameter in group["params"]:
                    self.state[parameter]["n"] = self.state[parameter].get("n", 0) + 1

    class Counts(SGD):
        name = "counts"

        def over(self, parameters, lr):
            return Counting(parameters, lr)

    trainer = Trainer(small(PlainGAN), Points(), steps=1, batch_size=5, make_optimizer=lambda _: Counts())
    trainer.fit()
    with pytest.raises(UnfitError, match=r"optimizer 'counts' keeps '0\.n', which is no tensor"):
        trainer.state()


def test_a_phase_that_trains_what_is_frozen():
    method = small(PlainGAN)
    method.generator.requires_grad_(False)
    refuse(method, "method 'gan' trains 'generator', which is frozen")
