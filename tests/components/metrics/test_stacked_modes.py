"""Modes of stacked digits, with a scorer whose verdicts are known."""

import math

import pytest
import torch

from dalikit.components.metrics.stacked_modes import StackedModes
from dalikit.errors import UnfitError, UserError
from dalikit.evaluation import scorer, scoring
from dalikit.interfaces import Dataset, DataSpec, Method


class Stacked(Dataset):
    """The shape of stacked MNIST."""

    name, spec, preparation = "stacked", DataSpec((3, 28, 28), (-1.0, 1.0)), "made by the test"

    def split(self, part):
        raise AssertionError("no data are read")

    @property
    def stamp(self):
        return {}


def digit(images):
    """The verdict that stands in for the scorer's: an image of grey level 20 k is the digit k."""
    return torch.nn.functional.one_hot(images[:, 0, 0, 0].long() // 20, 10).float()


def written(folder):
    """A scorer with weights that mean nothing."""
    torch.manual_seed(0)
    path, figures = folder / "s.safetensors", (0.9, 0.9, 2.0, 0.1, 2.0, 0.1)
    scorer.save(
        scorer.DigitScorer(2, 4), scorer.ScorerFacts(2, 4, "made by the test", 0, 1, *figures, 10), path
    )
    return path


@pytest.fixture
def weights(tmp_path, monkeypatch):
    path = written(tmp_path)
    monkeypatch.setattr(scorer.DigitScorer, "logits", lambda self, images: digit(images))
    return str(path)


class Triples(Method):
    """Its samples are the given triples of digits, over and over."""

    name, spec = "triples", Stacked.spec

    def __init__(self, *triples):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        grey = torch.tensor(triples).float() * 20 / 127.5 - 1
        self.images = grey[:, :, None, None].expand(-1, 3, 28, 28)

    def prior(self, n):
        return torch.arange(n) % len(self.images)

    def generate(self, z, y=None):
        return self.images[z]


def test_distinct_triples_and_their_distance_from_uniform(weights):
    method = Triples((1, 2, 3), (3, 2, 1), (9, 9, 9), (9, 9, 9))
    score = scoring.score(lambda part: StackedModes(Stacked(), part, weights=weights, count=1000), method)
    entropy = -(0.25 * math.log(0.25) * 2 + 0.5 * math.log(0.5))
    assert score.values == {"modes": 3, "kl": pytest.approx(math.log(1000) - entropy)}
    assert score.protocol["samples"] == 1000
    assert score.protocol["scorer_accuracy"] == 0.9


def test_all_modes_equally_often_are_no_distance_away(weights):
    method = Triples(*((a, b, c) for a in range(10) for b in range(10) for c in range(10)))
    metric = StackedModes(Stacked(), weights=weights, count=500)
    metric.update(method.images)
    assert metric.compute().values == {"modes": 1000, "kl": pytest.approx(0, abs=1e-9)}


def test_the_paper_counts_26000_samples():
    assert StackedModes(Stacked()).count == 26_000


def test_other_data_ranges_and_a_missing_scorer_are_refused(weights, tmp_path):
    class Colour(Stacked):
        spec = DataSpec((3, 32, 32), (-1.0, 1.0))

    with pytest.raises(UnfitError, match="three stacked digits"):
        StackedModes(Colour())
    with pytest.raises(UserError, match="outside"):
        StackedModes(Stacked(), weights=weights).update(torch.full((1, 3, 28, 28), 255.0))
    reason = StackedModes(Stacked(), weights=str(tmp_path / "none")).unfit(Triples((1, 2, 3)))
    assert "train it by dalikit scorer train mnist" in reason
    assert "metrics.stacked-modes.weights=FILE" in reason


def test_each_channel_is_classified_by_the_real_scorer_alone(tmp_path):
    path = written(tmp_path)
    raw = torch.randint(0, 256, (8, 3, 28, 28), dtype=torch.uint8)
    metric = StackedModes(Stacked(), weights=str(path))
    metric.update(raw / 127.5 - 1)
    model, _ = scorer.load(path)
    verdicts = [model.logits(raw[:, c : c + 1]).argmax(1) for c in range(3)]
    modes = 100 * verdicts[0] + 10 * verdicts[1] + verdicts[2]
    assert torch.equal(metric.found, torch.bincount(modes, minlength=1000))
