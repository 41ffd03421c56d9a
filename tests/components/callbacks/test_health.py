"""What the callback `health` measures and says, each fault made by hand; and that it changes nothing."""

import json

import pytest
import torch
from players import PLANE, dali, small

from dalikit.assembly import build, resolve
from dalikit.assembly.registry import Registry
from dalikit.components.callbacks.health import FAULTS, Health
from dalikit.components.methods.aae import AAE
from dalikit.components.methods.age import AGE
from dalikit.components.methods.ali import ALI
from dalikit.components.methods.avb import AVB
from dalikit.components.methods.gan import PlainGAN
from dalikit.components.methods.ian import IAN
from dalikit.components.methods.infogan import InfoGAN
from dalikit.components.methods.mdgan import MDGAN
from dalikit.components.methods.vae import VAE
from dalikit.interfaces import Batch, Dataset, Generator, Iteration, Method, TensorSplit
from dalikit.runs import Context, RunDirectory
from dalikit.training import Trainer

REGISTRY = Registry.discover()
PART = {"train": 0, "validation": 1, "test": 2}


class Normal(Dataset):
    """Standard normal points, of each part its own."""

    name = "normal"
    spec = PLANE
    preparation = "made by the test"

    def split(self, part):
        return TensorSplit(torch.randn(200, 2, generator=torch.Generator().manual_seed(PART[part])))


class Plane(Generator):
    """x = z."""

    name = "plane"

    def __init__(self) -> None:
        super().__init__(2, PLANE)
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, z):
        return self.scale * z


class Healthy(Method):
    """Draws the data themselves, reads z exactly, and has a D that is right of three in four."""

    name = "healthy"
    infers = True

    def __init__(self) -> None:
        super().__init__(generator=Plane())

    def code(self, x, y=None):
        return x

    def verdict(self, iteration):
        logits = torch.tensor([2.0, 2.0, 2.0, -1.0]).repeat(len(iteration.real) // 4)
        return logits, -logits


class OnePoint(Healthy):
    """Draws one point."""

    def generate(self, z, y=None):
        return torch.ones_like(z)


class Far(Healthy):
    """Draws points beside the data, all of which it rebuilds."""

    def generate(self, z, y=None):
        return z + 4.0

    def code(self, x, y=None):
        return x - 4.0


class Perfect(Far):
    """D is right of everything."""

    def verdict(self, iteration):
        return torch.full((len(iteration.real),), 3.0), torch.full((len(iteration.real),), 2.0)


class Blind(Far):
    """D says the same of everything."""

    def verdict(self, iteration):
        return torch.zeros(len(iteration.real)), torch.zeros(len(iteration.real))


class Overfit(Healthy):
    """D knows the training data by heart."""

    def verdict(self, iteration):
        known = torch.isin(iteration.real, Normal().split("train").data).all(1)
        return known.double() - torch.rand(len(known)).double() / 10, torch.rand(len(known)).double() / 10


class Unread(Healthy):
    """The encoder gives noise, which the generator turns into the data that were asked about."""

    def code(self, x, y=None):
        return torch.randn_like(x) if self.asked(x) else x

    def asked(self, x):
        return not torch.isin(x, Normal().split("validation").data).any()


class Mean(Healthy):
    """Every datum is rebuilt as the mean of all."""

    def code(self, x, y=None):
        return x / 1000 if torch.isin(x, Normal().split("validation").data).any() else x


MADE = {
    "collapse": OnePoint,
    "perfect": Perfect,
    "blind": Blind,
    "overfit": Overfit,
    "unread": Unread,
    "mean": Mean,
}


class Watched:
    """A training that stands still, of a method that may be changed."""

    def __init__(self, tmp_path, method: Method, **settings) -> None:
        self.method = self.inference = method
        self.step, self.steps, self.records = 0, 10**6, []
        self.callback = Health(Context(RunDirectory(tmp_path), Normal(), {}), every=10, **settings)

    def losses(self, reader):
        return {}

    def log(self, record):
        self.records.append(json.loads(json.dumps(record)))

    def look(self, times: int = 1) -> None:
        for _ in range(10 * times):
            self.step += 1
            self.callback.step_end(self)


def test_a_healthy_training_is_told_nothing(tmp_path, capsys):
    watched = Watched(tmp_path, Healthy())
    watched.look(4)
    assert capsys.readouterr().err == ""
    assert [record["step"] for record in watched.records] == [10, 20, 30, 40]
    found = watched.records[0]
    assert found["wrong"] == []
    assert found["read"] == found["read_most"] == 1.0
    assert found["read_half"] == 2
    assert found["rebuilt"] == 0.0
    assert found["diversity"] == pytest.approx(1.0, abs=0.25)
    assert found["distance"] < 0.02
    assert (found["d_training"], found["d_held_out"], found["d_samples"]) == (0.75, 0.75, 0.75)


@pytest.mark.parametrize("kind", MADE)
def test_each_fault_is_told_once_by_its_kind_and_since_when(kind, tmp_path, capsys):
    watched = Watched(tmp_path, Healthy())
    watched.look()
    watched.inference = watched.method = MADE[kind]()
    watched.look(2)
    assert capsys.readouterr().err == "", "two looks are no warning"
    watched.look(3)
    lines = [line for line in capsys.readouterr().err.splitlines() if f"({kind})" in line]
    assert len(lines) == 1
    assert lines[0].startswith("Warning: ")
    assert "since step 20 " in lines[0]
    assert lines[0].endswith(FAULTS[kind].helps.format(weight="weight of the reconstruction"))
    assert all(kind in record["wrong"] for record in watched.records[1:])


@pytest.mark.parametrize("kind", MADE)
def test_no_fault_passes_for_another(kind, tmp_path):
    watched = Watched(tmp_path, MADE[kind]())
    watched.look()
    also = {"unread"} if kind == "collapse" else set()  # of one point nothing can be read
    assert set(watched.records[0]["wrong"]) == {kind} | also


def test_a_fault_is_told_again_after_it_was_gone(tmp_path, capsys):
    watched = Watched(tmp_path, Mean(), patience=2)
    watched.look(5)
    watched.inference = Healthy()
    watched.look()
    watched.inference = Mean()
    watched.look(2)
    said = [line.split(" (")[0] for line in capsys.readouterr().err.splitlines()]
    assert [line.split(", since ")[1] for line in said] == ["step 10", "step 70"]


def test_looks_are_counted_over_a_resume(tmp_path, capsys):
    watched = Watched(tmp_path, Mean())
    watched.look(2)
    state = json.loads(json.dumps(watched.callback.state()))
    resumed = Watched(tmp_path, Mean())
    resumed.step = watched.step
    resumed.callback.load_state(state)
    resumed.look(2)
    assert capsys.readouterr().err.count("since step 10 (mean)") == 1


def test_what_a_method_has_not_is_left_out(tmp_path):
    watched = Watched(tmp_path, small(AGE, latent_size=2))
    watched.look()
    assert "read" in watched.records[0]
    assert not [name for name in watched.records[0] if name.startswith("d_")]
    plain = Watched(tmp_path, small(PlainGAN))
    plain.look()
    assert {"d_samples", "diversity", "distance"} <= set(plain.records[0])
    assert not {"read", "rebuilt"} & set(plain.records[0])


def test_nothing_is_rebuilt_of_codes_that_mostly_stand_still(tmp_path):
    watched = Watched(tmp_path, small(InfoGAN, latent_size=5, codes=2))
    watched.look()
    assert "read_most" in watched.records[0]
    assert "rebuilt" not in watched.records[0]


def test_few_held_out_data_say_nothing_of_d(tmp_path):
    class Few(Normal):
        def split(self, part):
            return TensorSplit(super().split(part).data[: 10 if part == "validation" else 200])

    watched = Watched(tmp_path, Healthy())
    watched.callback.dataset = Few()
    watched.look()
    assert "d_training" in watched.records[0]
    assert "d_held_out" not in watched.records[0]


@pytest.mark.parametrize("cls", [AAE, AGE, ALI, AVB, IAN, MDGAN, VAE, PlainGAN])
def test_what_a_method_says_that_its_discriminator_judges(cls):
    """Written out; the encoders' draws are the same under the same seed."""
    method = small(cls).double()
    g, d = method.generator, getattr(method, "discriminator", None)
    x, z = torch.randn(5, 2).double(), torch.randn(5, 3).double()

    def drawn() -> torch.Tensor:
        torch.manual_seed(0)
        return method.posterior(x).rsample()

    torch.manual_seed(0)
    verdict = method.verdict(Iteration(method.generate, Batch(x), z))
    if cls in (AGE, VAE):
        assert verdict is None
        return
    if cls is IAN:
        both = [method.ternary[0](d.trunk(v)) for v in (x, g(z))]
        expected = [logits[:, 0] - logits[:, 1] for logits in both]
    else:
        expected = {
            AAE: lambda: (d(z), d(drawn())),
            ALI: lambda: (d(torch.cat([x, drawn()], 1)), d(torch.cat([g(z), z], 1))),
            AVB: lambda: (d(torch.cat([x, drawn()], 1)), d(torch.cat([x, z], 1))),
            MDGAN: lambda: (d(x), d(g(method.posterior(x).mean))),
            PlainGAN: lambda: (d(x), d(g(z))),
        }[cls]()
    for found, wanted in zip(verdict, expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_it_changes_neither_norms_nor_random_numbers(tmp_path):
    """The generator's norms move in train mode, in which it is asked."""

    def trained(health: dict | None) -> dict[str, torch.Tensor]:
        others = dict.fromkeys(("progress", "log", "evaluation", "pictures", "checkpoint"))
        networks = {"generator": {"width": 4, "latent_size": 3}, "discriminator": {"width": 4}}
        settings = {"trainer": {"steps": 3, "batch_size": 6}, "callbacks": {**others, "health": health}}
        config = resolve.resolve_layers([{**networks, **settings}], REGISTRY)
        trainer = build.make_trainer(config, REGISTRY, RunDirectory(tmp_path))
        trainer.fit()
        return trainer.state().tensors

    alone, watched = trained(None), trained({"every": 1, "count": 16})
    assert any("running_mean" in name for name in alone)
    for name, tensor in alone.items():
        assert torch.equal(tensor, watched[name]), name


def test_an_encoder_that_is_not_trained_is_told_of_in_a_training(tmp_path, capsys):
    context = Context(RunDirectory(tmp_path), Normal(), {})
    roles = {"encoder": {"lr": 1e-9}}
    watcher = Health(context, every=20, patience=2)
    Trainer(dali(), Normal(), [watcher], steps=60, batch_size=16, lr=1e-3, roles=roles).fit()
    said = capsys.readouterr().err
    assert "Warning: the encoder reads no entry of z from samples, since step 20 (unread): " in said
    assert "method.lam above 0, has helped" in said, "the method names its weight"
    assert said.count("(unread)") == 1


def test_the_command_says_it_on_standard_error_and_in_the_log_over_a_resume(cli, train_options, tmp_path):
    run = tmp_path / "run"
    words = ["--set", "callbacks.health.every=5", "--set", "method.lam=0", "--steps", 10]
    first = cli("train", *train_options, *words, "--out", run)
    assert (first.returncode, first.stderr.count("(unread)")) == (0, 0), first.stderr
    again = cli("train", "--resume", run, "--steps", 30)
    assert again.returncode == 0, again.stderr
    (said,) = [line for line in again.stderr.splitlines() if "(unread)" in line]
    assert said.startswith("Warning: ")
    assert "since step 5 " in said
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    looks = [record for record in records if record["event"] == "health"]
    assert [look["step"] for look in looks] == [5, 10, 15, 20, 25, 30]
    assert all("unread" in look["wrong"] for look in looks)


def test_data_that_are_all_the_same_have_no_diversity_to_compare_with(tmp_path):
    class Same(Normal):
        def split(self, part):
            return TensorSplit(torch.ones(50, 2))

    watched = Watched(tmp_path, OnePoint())
    watched.callback.dataset = Same()
    watched.look()
    assert "diversity" not in watched.records[0]
    assert watched.records[0]["distance"] == 0.0
