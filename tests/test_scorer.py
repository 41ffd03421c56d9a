"""The digit scorer: its training, its file, and the command that makes it."""

import json
import math
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from dalikit.errors import UnfitError, UserError
from dalikit.evaluation import scorer
from dalikit.evaluation.scorer import training

FACTS = {"width": 3, "features": 6, "data": "made by the test", "seed": 0, "epochs": 1, "accuracy": 0.5}
FACTS |= {"validation_accuracy": 0.5, "isc_mean": 2.0, "isc_std": 0.1, "isc_count": 10}
FACTS |= {"isc_in_order_mean": 2.0, "isc_in_order_std": 0.1}


def bars(count, seed=0):
    """Images of which the height of a bright bar tells the class."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (count,), generator=rng)
    images = torch.randint(0, 40, (count, 1, 28, 28), generator=rng, dtype=torch.uint8)
    for image, label in zip(images, labels, strict=True):
        image[0, 4 + 2 * int(label) : 6 + 2 * int(label), 4:24] = 255
    return images, labels


@pytest.fixture(scope="module")
def small():
    return scorer.train(bars(300), bars(100, seed=1), epochs=2, width=3, features=16)


def tiny(path):
    torch.manual_seed(0)
    made = scorer.DigitScorer(3, 6)
    scorer.save(made, scorer.ScorerFacts(**FACTS), path)
    return made.eval()


def test_training_repeats_under_its_seed_and_leaves_random_state_alone(small):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    again, accuracy = scorer.train(bars(300), bars(100, seed=1), epochs=2, width=3, features=16)
    assert torch.equal(torch.get_rng_state(), before)
    other, _ = scorer.train(bars(300), bars(100, seed=1), epochs=1, width=3, features=16, seed=1)
    assert accuracy == small[1]
    pairs = list(zip(small[0].state_dict().values(), again.state_dict().values(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(other.head.weight, again.head.weight)


def test_the_best_epoch_is_kept(monkeypatch):
    seen, weights = iter([0.2, 0.9, 0.5]), []

    def accuracy(model, data):
        weights.append(model.head.weight.clone())
        return next(seen)

    monkeypatch.setattr(training, "accuracy", accuracy)
    model, best = scorer.train(bars(60), bars(10), epochs=3, width=2, features=4)
    assert best == 0.9
    assert torch.equal(model.head.weight, weights[1])
    assert not model.training


def test_the_protocol_of_training():
    lines, batches = [], []
    scorer.train(
        bars(30),
        bars(10),
        epochs=2,
        width=2,
        features=4,
        track=lambda parts, what: batches.append([len(p) for p in parts]) or parts,
        tell=lines.append,
    )
    assert batches == [[50, 50, 50], [50, 50, 50]]  # each image and four copies of it, in batches of 50
    assert len(lines) == 2
    assert "Epoch 2 of 2" in lines[1]


def test_the_network_is_the_protocols():
    """Convolutions of 5×5 to 32 and 64 maps, each pooled, 1,024 units; batch norm as ALICE has it."""
    model = scorer.DigitScorer()
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters() if name.endswith("weight")}
    assert list(shapes.values()) == [
        (32, 1, 5, 5),
        (32,),
        (64, 32, 5, 5),
        (1024, 64 * 7 * 7),
        (1024,),
        (10, 1024),
    ]
    kinds = [type(m).__name__ for m in model.modules()]
    assert (kinds.count("MaxPool2d"), kinds.count("ReLU")) == (2, 3)
    assert model.dropout.p == pytest.approx(0.3)  # of 10 units 7 are kept


def test_the_rate_is_adams_and_falls_by_a_twentieth_an_epoch(monkeypatch):
    rates = []

    class Watched(torch.optim.Adam):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "Adam", Watched)
    scorer.train(bars(10), bars(10), epochs=3, width=2, features=4)  # one batch of 50 an epoch
    assert rates == pytest.approx([1e-4, 0.95e-4, 0.95**2 * 1e-4])


def test_copies_are_turned_and_shifted_within_bounds():
    torch.manual_seed(0)
    images = torch.zeros(400, 1, 28, 28, dtype=torch.uint8)
    images[:, :, 13:15, 13:15] = 255  # in the centre: turning moves it nowhere
    mass = scorer.jitter(images)[:, 0].float()
    at = torch.arange(28) - 13.5
    x, y = ((mass.sum(d) * at).sum(1) / mass.sum((1, 2)) for d in (1, 2))
    assert 2.3 < torch.hypot(x, y).max() <= 2 * math.sqrt(2) + 0.05
    assert min(x.max(), y.max(), -x.min(), -y.min()) > 1.7
    images = torch.zeros(400, 1, 28, 28, dtype=torch.uint8)
    images[:, :, 10:18, 23:25] = 255  # its middle is 10 pixels right of the centre
    mass = scorer.jitter(images)[:, 0].float()
    angle = torch.atan2((mass.sum(2) * at).sum(1), (mass.sum(1) * at).sum(1)).rad2deg()
    most = 15 + math.degrees(math.asin(2 / 8))  # what a shift adds to the turn
    assert 18 < angle.max() <= most + 1
    assert 18 < -angle.min() <= most + 1


def test_pixels_are_read_on_minus_half_to_half():
    model = scorer.DigitScorer(2, 4).eval()
    seen = []
    model.trunk[0].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    model(torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].expand(2, 1, 28, 28))
    assert seen[0][0].unique().tolist() == [-0.5]
    assert seen[0][1].unique().tolist() == [0.5]


def test_grey_images_as_rgb_score_the_same():
    model, (images, _) = scorer.DigitScorer(2, 4).eval(), bars(5)
    assert torch.equal(model(images)[1], model(images.expand(-1, 3, -1, -1))[1])


@pytest.mark.parametrize("images", [torch.rand(2, 1, 28, 28), torch.zeros(2, 1, 32, 32, dtype=torch.uint8)])
def test_other_images_are_refused(images):
    with pytest.raises(UnfitError, match="digit scorer reads uint8"):
        scorer.DigitScorer(2, 4)(images)


def test_the_inception_score_from_its_definition():
    logits = torch.randn(40, 10, generator=torch.Generator().manual_seed(0)).double()
    parts = [functional.softmax(part, 1) for part in logits.split(20)]
    scores = [float((p * (p / p.mean(0)).log()).sum(1).mean().exp()) for p in parts]
    mean, std = scorer.inception_score(logits, 2, shuffled=False)
    assert mean == pytest.approx(np.mean(scores))
    assert std == pytest.approx(np.std(scores))
    certain = 100 * torch.eye(10).repeat(4, 1)
    assert scorer.inception_score(certain, 1)[0] == pytest.approx(10)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    made = tiny(tmp_path / "deep" / "s.safetensors")
    before = torch.get_rng_state()
    again, facts = scorer.load(tmp_path / "deep" / "s.safetensors")
    assert torch.equal(torch.get_rng_state(), before)
    images, _ = bars(4)
    assert torch.equal(made(images)[1], again(images)[1])
    assert not again.training
    assert not any(p.requires_grad for p in again.parameters())
    assert facts["accuracy"] == 0.5
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["s.safetensors"]


def test_a_missing_file_is_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("DALIKIT_DATA", str(tmp_path))
    with pytest.raises(
        UserError, match=r"dalikit scorer train mnist, or name one with metrics\.fidelity\.weights"
    ):
        scorer.load()
    assert str(tmp_path / "scorer-mnist.safetensors") == str(scorer.default_path())
    assert not list(tmp_path.iterdir())


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


def corrupted(path, how):
    if how == "pickle":
        path.write_bytes(pickle.dumps(Bomb()))
        return
    if how == "half":
        path.write_bytes(path.read_bytes()[:200])
        return
    tensors, facts = load_file(path), {**FACTS, "format": scorer.FORMAT, "classes": 10}
    if how == "other":
        facts["format"] = "something else"
    elif how == "size":
        facts["width"] = 10**9
    elif how == "shape":
        facts["width"] = 4
    elif how == "nan":
        tensors["head.bias"][0] = math.nan
    elif how == "half precision":
        tensors["head.bias"] = tensors["head.bias"].half()
    save_file(tensors, path, {} if how == "bare" else {"dalikit": json.dumps(facts)})


@pytest.mark.parametrize("how", ["pickle", "half", "bare", "other", "size", "shape", "nan", "half precision"])
def test_a_damaged_or_foreign_file_is_refused_and_never_executed(tmp_path, how):
    path = tmp_path / "s.safetensors"
    tiny(path)
    corrupted(path, how)
    with pytest.raises(UserError, match="cannot be used as a digit scorer") as raised:
        scorer.load(path)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def test_the_command_trains_keeps_and_uses_the_scorer(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("DALIKIT_DATA", str(tmp_path))
    monkeypatch.setattr(
        scorer.train, "__kwdefaults__", {**scorer.train.__kwdefaults__, "width": 2, "features": 4}
    )
    parts = {"train": bars(60), "test": bars(40, seed=2)}
    arrays = {f"{p}_images": images[:, 0].numpy() for p, (images, _) in parts.items()}
    arrays |= {f"{p}_labels": labels.numpy().astype(np.uint8) for p, (_, labels) in parts.items()}
    np.savez(tmp_path / "mnist.npz", **arrays)
    done = cli("scorer", "train", "mnist", "--epochs", 1)
    assert done.returncode == 0, done.stderr
    assert "Epoch 1 of 1" in done.stderr
    assert "Inception score of the 40 test images" in done.stdout
    model, facts = scorer.load()
    assert facts["accuracy"] == pytest.approx(scorer.accuracy(model, parts["test"]))
    assert facts["isc_mean"] == pytest.approx(scorer.inception_score(model.logits(parts["test"][0]))[0])
    assert (facts["width"], facts["epochs"], facts["isc_count"]) == (2, 1, 40)
    again = cli("scorer", "train", "mnist")
    assert again.returncode == 2
    assert "is there already" in again.stderr
    assert cli("scorer", "train", "mnist", "--epochs", 1, "--force").returncode == 0


@pytest.mark.parametrize(
    ("words", "says"), [(["svhn"], "digits alone"), (["mnist", "--out", "x.pt"], "written as .safetensors")]
)
def test_the_command_refuses_at_once(cli, tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    done = cli("scorer", "train", *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
