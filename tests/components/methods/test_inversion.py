"""Inversion: the loss written out, the frozen networks as they were, and taking them from a run."""

import copy
import math

import pytest
import torch
from adam import Adam
from players import Points, dali
from safetensors.torch import load_file

import dalikit
from dalikit.components.methods.inversion import Inversion
from dalikit.randomness import derived_seed
from dalikit.training import Trainer


class Doubles(Points):
    def __init__(self):
        super().__init__(6)
        self.data = self.data.double()


def test_one_iteration_is_the_sum_of_the_three_terms():
    source = dali().double()
    g, d, e, family = source.generator, source.discriminator, source.encoder, source.family
    g_, d_, e_ = (copy.deepcopy(m) for m in (g, d, e))
    method = Inversion(g, d, e, family, code=0.8, image=0.5, features=0.3)
    Trainer(method, Doubles(), (), 3, steps=1, batch_size=6, lr=1e-2, betas=(0.5, 0.9)).fit()

    order = torch.Generator().manual_seed(derived_seed(3, "order"))
    x = Doubles().data[torch.randperm(6, generator=order)]
    torch.manual_seed(derived_seed(3, "training"))
    z = torch.randn(6, 3, dtype=torch.float64)
    mean, log_variance = e_(d_.features(g_(z)))
    nll = 0.5 * ((z - mean) ** 2 / log_variance.exp() + log_variance + math.log(2 * math.pi)).sum(1).mean()
    again = g_(e_(d_.features(x))[0])
    image = ((x - again) ** 2).mean()
    features = ((d_.features(x) - d_.features(again)) ** 2).mean()
    Adam(e_.parameters(), 1e-2, (0.5, 0.9)).step(0.8 / 3 * nll + 0.5 * image + 0.3 * features)
    for trained, expected in ((g, g_), (d, d_), (e, e_)):
        for a, b in zip(trained.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


OPTIONS = ["--dataset", "digits", "--backbone", "mlp", "--steps", 5, "--set", "trainer.batch_size=16"]


@pytest.fixture
def command_line(cli, trained, tmp_path):
    def run(*words, out="run", source=trained):
        borrowed = [f"--set={kind}.from_run={source}" for kind in ("generator", "discriminator")]
        return cli("train", "--method", "inversion", *OPTIONS, *borrowed, *words, "--out", tmp_path / out)

    return run


def test_the_gan_comes_from_a_run_and_stays_as_it_was(command_line, trained, tmp_path, cli):
    done = command_line()
    assert done.returncode == 0, done.stderr
    theirs = load_file(trained / "checkpoints" / "step-000030" / "averaged.safetensors")
    mine = load_file(tmp_path / "run" / "checkpoints" / "step-000005" / "averaged.safetensors")
    for name, tensor in mine.items():
        if name.startswith(("generator.", "discriminator.")):
            assert torch.equal(tensor, theirs[name]), name
    model = dalikit.load(tmp_path / "run")
    assert model.latent_size == 4
    assert torch.equal(model.sample(3, seed=0), dalikit.load(trained).sample(3, seed=0))
    assert cli("train", "--resume", tmp_path / "run", "--steps", 7).returncode == 0


def test_the_run_can_be_used_without_the_one_it_came_from(command_line, trained, tmp_path, cli):
    import shutil

    source = shutil.copytree(trained, tmp_path / "source")
    assert command_line(source=source).returncode == 0
    shutil.rmtree(source)
    assert cli("sample", tmp_path / "run").returncode == 0


def test_without_a_run_it_says_what_it_needs(cli, tmp_path):
    done = cli("train", "--method", "inversion", *OPTIONS, "--out", tmp_path / "r")
    assert done.returncode == 2
    assert "needs a trained generator: --set generator.from_run=RUN" in done.stderr
    assert not (tmp_path / "r").exists()


def test_settings_that_contradict_the_run_are_refused(command_line):
    done = command_line("--set", "generator.width=99")
    assert done.returncode == 2
    assert "generator.width = 99 does not go with generator.from_run: that run has 16" in done.stderr


def test_a_source_that_is_no_run(command_line, tmp_path):
    done = command_line(source=tmp_path / "nowhere")
    assert done.returncode == 2
    assert "nowhere is not a run" in done.stderr


def test_any_method_can_start_from_a_trained_network(cli, trained, tmp_path):
    words = ["--method", "gan", *OPTIONS, "--set", f"generator.from_run={trained}", "--steps", 1]
    done = cli(
        "train", *words, "--set", "trainer.lr=1e-30", "--set", "trainer.ema=0.0", "--out", tmp_path / "r"
    )
    assert done.returncode == 0, done.stderr
    a, b = dalikit.load(trained).sample(3, seed=0), dalikit.load(tmp_path / "r").sample(3, seed=0)
    torch.testing.assert_close(a, b)
