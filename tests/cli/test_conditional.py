"""Runs that read labels, by the command line: each command under a label, under none, and a wrong one.

What is expected is said by the method's own networks: G(z, y), and E on D's features and y.
"""

import json

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import dalikit


@pytest.fixture(scope="module")
def conditional(cli, train_options, tmp_path_factory):
    """A conditional run of 30 steps on digits; read it, never write into it."""
    run = tmp_path_factory.mktemp("conditional") / "run"
    words = ["--set", "method.conditional=true", "--set", "trainer.lr=0.02"]  # so that labels tell by then
    done = cli("train", *train_options, *words, "--steps", 30, "--out", run)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture(scope="module")
def model(conditional):
    return dalikit.load(conditional)


@pytest.fixture
def image(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    return tmp_path / "mine.png"


@torch.no_grad()
def posterior(model, x, y):
    method = model.method
    return method.family(*method.encoder(method.discriminator.trunk(x), y))


@torch.no_grad()
def generated(model, z, y):
    return model.method.generator(z, y).numpy()


def same(label, n):
    return torch.full((n,), label)


def check(found, expected, other):
    """What was written is what is expected under one label, and that is not what another gives."""
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert np.abs(expected - other).max() > 1e-3, "a label must tell"


def write(cli, path, *words):
    """Run a command that writes to `path`, and read that."""
    done = cli(*words, "--out", path)
    assert done.returncode == 0, done.stderr
    return np.load(path)


def test_the_run_says_which_labels_it_reads(conditional, model):
    assert yaml.safe_load((conditional / "config.yaml").read_text())["method"]["conditional"] is True
    assert json.loads((conditional / "run.json").read_text())["data"]["classes"] == list("0123456789")
    assert model.spec.classes == tuple("0123456789")
    counts = torch.bincount(model.batch("train").y, minlength=10)
    shares = model.method.class_shares / model.method.class_shares.sum()
    torch.testing.assert_close(shares, counts / 1293)
    assert counts.unique().numel() > 1, "some are more frequent than others"
    names = {path.parent.name for path in conditional.glob("*/step-000030.png")}
    assert names == {"samples", "reconstructions"}


def test_sample_under_a_label(cli, conditional, model, tmp_path):
    found = write(cli, tmp_path / "x.npy", "sample", conditional, "--label", 3, "--n", 6, "--seed", 5)
    z = torch.randn(6, 4, generator=torch.Generator().manual_seed(5))
    check(found, generated(model, z, same(3, 6)), generated(model, z, same(4, 6)))


def test_sample_without_a_label_draws_them_as_they_are_in_training(cli, conditional, model, tmp_path):
    words = ("sample", conditional, "--n", 400, "--seed", 5)
    found = write(cli, tmp_path / "x.npy", *words)
    np.testing.assert_array_equal(found, write(cli, tmp_path / "y.npy", *words))
    z = torch.randn(400, 4, generator=torch.Generator().manual_seed(5))
    under = np.stack([generated(model, z, same(label, 400)) for label in range(10)])
    away = np.abs(under - found[None]).reshape(10, 400, -1).max(2)
    assert away.min(0).max() < 2e-5, "each is generated under one of the labels"
    counts = np.bincount(away.argmin(0), minlength=10)
    assert counts.min() > 15, "all of which come up, about 40 times each"
    assert counts.max() < 75
    assert cli("sample", conditional, "--out", tmp_path / "x.png").returncode == 0


@pytest.mark.parametrize("label", [None, "3"])
def test_reconstruct_and_encode(cli, conditional, model, tmp_path, label):
    given = () if label is None else ("--label", label)
    x, own = model.batch("test", 12)
    y = own if label is None else same(3, 12)
    wrong = posterior(model, x, (y + 1) % 10)
    right = posterior(model, x, y)
    found = write(cli, tmp_path / "r.npz", "reconstruct", conditional, "--n", 12, *given)
    np.testing.assert_array_equal(found["x"], x.numpy())
    check(
        found["reconstruction"], generated(model, right.mean, y), generated(model, wrong.mean, (y + 1) % 10)
    )
    codes = write(cli, tmp_path / "z.npz", "encode", conditional, *given)
    assert codes["code"].shape == (360, 4)
    check(codes["mean"][:12], right.mean.numpy(), wrong.mean.numpy())
    check(codes["stddev"][:12], right.stddev.numpy(), wrong.stddev.numpy())
    np.testing.assert_array_equal(codes["code"], codes["mean"])


@pytest.mark.parametrize("label", [None, "5"])
def test_vary_and_interpolate(cli, conditional, model, tmp_path, label):
    given = () if label is None else ("--label", label)
    x, own = model.batch("test", 5)
    assert len({int(own[2]), int(own[4]), 5}) == 3, "data of labels that differ"
    y, other = (own[2], own[4]) if label is None else (torch.tensor(5),) * 2
    first, last = posterior(model, x[2:3], y[None]), posterior(model, x[4:5], other[None])

    found = write(cli, tmp_path / "v.npy", "vary", conditional, 2, "--n", 50, "--seed", 1, *given)
    noise = torch.randn(50, 4, generator=torch.Generator().manual_seed(1))
    z = first.mean + noise * first.stddev
    check(found, generated(model, z, y.expand(50)), generated(model, z, (y.expand(50) + 1) % 10))

    walk = write(cli, tmp_path / "i.npy", "interpolate", conditional, 2, 4, "--steps", 3, *given)
    # Each end is encoded under its own label, and all is generated under the first one's.
    between = torch.cat([first.mean, (first.mean + last.mean) / 2, last.mean])
    check(walk, generated(model, between, y.expand(3)), generated(model, between, (y.expand(3) + 1) % 10))
    if label is None:
        assert not torch.allclose(posterior(model, x[4:5], y[None]).mean, last.mean, atol=1e-4)
    for command in ("vary", "interpolate"):
        assert cli(command, conditional, *given, "--out", tmp_path / f"{command}.png").returncode == 0


@pytest.mark.parametrize("label", [None, "3"])
def test_neighbours(cli, conditional, model, tmp_path, label):
    given = () if label is None else ("--label", label)
    words = ("neighbours", conditional, "--n", 2, "--among", 300, *given)
    found = write(cli, tmp_path / "n.npz", *words)
    x, own = model.batch("test", 8)
    searched, theirs = model.batch("train", 300)
    y = own if label is None else same(3, 8)
    codes = posterior(model, searched, theirs).mean  # each under its own label
    apart = torch.cdist(posterior(model, x, y).mean.double(), codes.double())
    nearest = apart.sort(1)
    np.testing.assert_array_equal(found["x"], x.numpy())
    np.testing.assert_array_equal(found["neighbours"], searched[nearest.indices[:, :2]].numpy())
    np.testing.assert_allclose(found["distances"], nearest.values[:, :2].numpy(), rtol=1e-3, atol=1e-5)
    wrong = torch.cdist(posterior(model, x, (y + 1) % 10).mean.double(), codes.double())
    assert not torch.equal(wrong.argsort(1)[:, :2], nearest.indices[:, :2]), "a label must tell"
    assert cli(*words, "--out", tmp_path / "n.png").returncode == 0


def test_image_files_are_read_under_the_label_that_is_given(cli, conditional, model, image, tmp_path):
    x = torch.from_numpy(np.asarray(Image.open(image)) / 127.5 - 1).float()[None, None]
    y = same(7, 1)
    code, other = posterior(model, x, y).mean, posterior(model, x, same(8, 1)).mean
    found = write(cli, tmp_path / "z.npy", "encode", conditional, image, "--label", 7)
    check(found, code.numpy(), other.numpy())
    found = write(cli, tmp_path / "r.npy", "reconstruct", conditional, image, "--label", 7)
    check(found, generated(model, code, y), generated(model, other, same(8, 1)))
    for command in ("vary", "neighbours"):
        words = (command, conditional, image, "--n", 2, "--label", 7, "--out", tmp_path / f"{command}.png")
        assert cli(*words).returncode == 0
    done = cli("interpolate", conditional, image, 0, "--label", 7, "--out", tmp_path / "i.png")
    assert done.returncode == 0, done.stderr


def test_scores_are_of_labelled_data_and_say_so(cli, conditional, model):
    found = json.loads(cli("evaluate", conditional, "--json").stdout)["metrics"]["reconstruction"]
    x, y = model.batch("test")
    again = torch.from_numpy(generated(model, posterior(model, x, y).mean, y))
    assert found["mse_01"] == pytest.approx(float(((again - x) / 2).square().mean()), rel=1e-4)
    assert "labels" in found["protocol"]


def test_a_conditional_run_goes_on_as_if_it_had_not_stopped(cli, train_options, tmp_path):
    words = [*train_options, "--set", "method.conditional=true", "--set", "trainer.schedule=constant"]
    assert cli("train", *words, "--steps", 6, "--out", tmp_path / "a").returncode == 0
    assert cli("train", "--resume", tmp_path / "a", "--steps", 9).returncode == 0
    assert cli("train", *words, "--steps", 9, "--out", tmp_path / "b").returncode == 0
    a, b = (dalikit.load(tmp_path / run).method.state_dict() for run in "ab")
    assert all(torch.equal(a[name], b[name]) for name in b)


# --- what is wrong ---------------------------------------------------------------------------------------

COMMANDS = ("sample", "reconstruct", "encode", "vary", "interpolate", "neighbours")


def check_refused(done, says, folder):
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr
    assert not list(folder.glob("out*")), "nothing is written"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_label_that_is_not_there(cli, conditional, tmp_path, command):
    done = cli(command, conditional, "--label", "ten", "--out", tmp_path / "out.npz")
    check_refused(done, "There is no label 'ten'. Labels: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9", tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_label_for_a_run_that_reads_none(cli, trained, tmp_path, command):
    done = cli(command, trained, "--label", "3", "--out", tmp_path / "out.npz")
    check_refused(done, "Method 'dali' was trained without labels (method.conditional)", tmp_path)


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_image_files_without_their_label(cli, conditional, image, tmp_path, command):
    done = cli(command, conditional, image, "--out", tmp_path / "out.npz")
    says = "This run reads labels: --label says which, of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    check_refused(done, says, tmp_path)


def test_from_python_labels_go_by_name_or_index_and_must_be_there_for_every_datum(model, trained):
    x, own = model.batch("test", 4)
    names = [model.spec.classes[label] for label in own]
    for labels in (own, names, own.tolist()):
        again = model.reconstruct(x, labels=labels).numpy()
        np.testing.assert_allclose(again, generated(model, posterior(model, x, own).mean, own), atol=2e-5)
    wrong = {
        "3 labels are given for 4 data": own[:3],
        "There is no label '10'": 10,
        "There is no label 'nine'": ["0", "1", "nine", "2"],
        "There is no label '-1'": torch.tensor([0, 1, -1, 2]),
        "data need their labels": None,
    }
    for says, labels in wrong.items():
        with pytest.raises(dalikit.errors.UserError, match=says):
            model.reconstruct(x, labels=labels)
    with pytest.raises(dalikit.errors.UserError, match="was trained without labels"):
        dalikit.load(trained).sample(2, labels=3)


def test_from_python_each_of_several_data_keeps_its_own_label(model, monkeypatch):
    """In batches of 3 too, so that a label must lie where its datum does in a batch but the first."""
    monkeypatch.setattr("dalikit.evaluation.scoring.batch_size", lambda shape: 3)
    x, _ = model.batch("test", 10)
    a, b, y, ends = x[:5], x[5:], torch.tensor([0, 4, 7, 2, 9]), torch.tensor([8, 3, 6, 1, 5])
    starts = posterior(model, a, y)
    np.testing.assert_allclose(model.code(a, y).numpy(), starts.mean.numpy(), atol=2e-5)

    walk = model.interpolate(a, b, 4, y, ends).numpy()
    finish = posterior(model, b, ends).mean
    for step, t in enumerate((0.0, 1 / 3, 2 / 3, 1.0)):
        between = (1 - t) * starts.mean + t * finish
        check(walk[:, step], generated(model, between, y), generated(model, between, y.roll(1)))

    around = model.vary(a, 2, seed=3, labels=y).numpy()
    torch.manual_seed(3)
    for place, z in enumerate(starts.sample((2,))):
        check(around[:, place], generated(model, z, y), generated(model, z, y.roll(1)))
