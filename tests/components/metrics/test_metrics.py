"""The metrics, on methods whose score is known."""

import pytest
import torch
from players import Points, dali

from dalikit.components.datasets.mixtures import Grid25
from dalikit.components.metrics.modes import Modes
from dalikit.components.metrics.reconstruction import Reconstruction
from dalikit.errors import UnfitError
from dalikit.evaluation import scoring
from dalikit.interfaces import DataSpec, Method, Metric, Score


def test_modes_and_high_quality():
    metric = Modes(Grid25())
    sigma = 0.05
    metric.update(torch.tensor([[0.0, 0.0], [0.0, 2.99 * sigma], [2.0, 2.0]]))
    metric.update(torch.tensor([[4.0 + 3.01 * sigma, 4.0], [1.0, 1.0]]))
    score = metric.compute()
    assert score.values == {"modes": 2, "high_quality": 3 / 5}
    assert score.protocol["samples"] == 5
    assert score.protocol["sigma"] == sigma


def test_true_samples_score_98_9_percent():
    data, metric = Grid25(), Modes(Grid25())
    metric.update(data.split("train").take(torch.arange(50_000), torch.Generator().manual_seed(0)).x)
    values = metric.compute().values
    assert values["modes"] == 25
    assert values["high_quality"] == pytest.approx(0.9889, abs=0.002)


def test_modes_need_a_mixture():
    with pytest.raises(UnfitError, match="'points' has no modes"):
        Modes(Points())


class Pixels(Points):
    """Points as if bounded to [-1, 1]."""

    spec = DataSpec((2,), (-1.0, 1.0))

    def __init__(self):
        self.data, self.labels = torch.tensor([[0.0, 0.0], [1.0, -1.0]]), None


class Shifted(Method):
    """Reconstructs every x as x + 0.5."""

    name, infers = "shifted", True

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def code(self, x, y=None):
        return x

    def generate(self, z, y=None):
        return z + 0.5 * torch.tensor([1.0, 3.0])


def of(data):
    return lambda part: Reconstruction(data, part)


def test_the_error_is_given_on_both_ranges_with_its_spread():
    score = scoring.score(of(Pixels()), Shifted())
    # per datum: ((0.5)² + (1.5)²)/2 = 1.25 on [-1, 1]
    assert score.values["mse_pm1"] == pytest.approx(1.25)
    assert score.values["mse_01"] == pytest.approx(1.25 / 4)
    assert score.values["mse_01_std"] == pytest.approx(0)
    assert score.protocol["count"] == 2
    assert score.protocol["resolution"] == [2]
    assert score.protocol["part"] == "test"


def test_unbounded_data_are_measured_as_they_are():
    assert scoring.score(of(Points()), Shifted()).values["mse"] == pytest.approx(1.25)


def test_a_conditional_method_reconstructs_under_the_true_labels():
    data, method = Points(labelled=True), dali(conditional=True).eval()
    with torch.no_grad():
        again = method.generate(method.code(data.data, data.labels), data.labels)
        other = method.generate(method.code(data.data, 2 - data.labels), 2 - data.labels)
    score = scoring.score(of(data), method)
    assert score.values["mse"] == pytest.approx(float((again - data.data).square().mean()))
    assert score.values["mse"] != pytest.approx(float((other - data.data).square().mean()))
    assert score.protocol["labels"] == "read by the method, as frequent as in training"
    assert "labels" not in scoring.score(of(Points()), dali()).protocol


def test_a_method_without_encoder_is_refused_with_the_reason():
    class Blind(Shifted):
        infers = False

    with pytest.raises(UnfitError, match=r"^method 'shifted' has no encoder"):
        scoring.score(of(Points()), Blind())
    makers = {"reconstruction": of(Points())}
    assert "no encoder" in scoring.score_all(makers, Blind())[1]["reconstruction"]
    with pytest.raises(UnfitError, match="metric 'reconstruction': method 'shifted' has no encoder"):
        scoring.score_all(makers, Blind(), forgiving=False)


def test_parts_are_scored_on_draws_of_their_own():
    class Draws(Metric):
        name = "draws"

        def feed(self, method):
            yield (torch.rand(3),)

        def update(self, *batch):
            self.drawn = batch[0]

        def compute(self):
            return Score(self.name, {"sum": float(self.drawn.sum())}, {})

    scores = [
        scoring.score(lambda part: Draws(), Shifted(), part, seed)
        for part, seed in (("test", 0), ("test", 0), ("validation", 0), ("test", 1))
    ]
    sums = [score.values["sum"] for score in scores]
    assert sums[0] == sums[1]
    assert len(set(sums)) == 3
    assert [score.protocol["seed"] for score in scores] == [0, 0, 0, 1]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_no_score(value):
    class Breaks(Metric):
        name = "breaks"

        def feed(self, method):
            return iter(())

        def update(self, *batch): ...

        def compute(self):
            return Score(self.name, {"sound": 1, "broken": value}, {})

    with pytest.raises(UnfitError, match=f"^metric 'breaks' gives broken = {value}"):
        scoring.score(lambda part: Breaks(), Shifted())


def test_scoring_leaves_modes_and_random_state_as_they_were():
    method = Shifted().train()
    method.decoder = torch.nn.Linear(1, 1).eval()
    torch.manual_seed(4)
    before = torch.get_rng_state()
    scoring.score(of(Points()), method)
    assert method.training
    assert not method.decoder.training
    assert torch.equal(torch.get_rng_state(), before)
