"""What codes are worth, on codes whose worth is known."""

import pytest
import torch
from players import Points, dali

from dalikit import testing
from dalikit.components.datasets.digits import Digits
from dalikit.components.metrics.codes import Codes
from dalikit.errors import UnfitError
from dalikit.evaluation import scoring
from dalikit.interfaces import Dataset, DataSpec, Method, TensorSplit


class Blobs(Dataset):
    """Three groups in the plane, far apart; `mixed` shuffles the labels."""

    name, spec, preparation = "blobs", DataSpec((2,), classes=tuple("abc")), "made by the test"

    def __init__(self, mixed=False):
        rng = torch.Generator().manual_seed(0)
        labels = torch.arange(150) % 3
        means = torch.tensor([[0.0, 0.0], [30.0, 0.0], [0.0, 30.0]])
        self.data = means[labels] + torch.randn(150, 2, generator=rng)
        self.labels = labels[torch.randperm(150, generator=rng)] if mixed else labels

    def split(self, part):
        span = slice(0, 90) if part == "train" else slice(90, None)
        return TensorSplit(self.data[span], self.labels[span])


class Identity(Method):
    """Its code of x is x."""

    name, infers = "identity", True

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def code(self, x, y=None):
        return x


def scored(data, method, part="test", **settings):
    return scoring.score(lambda part: Codes(data, part, **settings), method, part)


def test_groups_far_apart_are_told_apart_entirely():
    score = scored(Blobs(), Identity())
    fields = ("probe_accuracy", "knn_accuracy", "neighbour_precision", "nmi", "ari")
    assert score.values == pytest.approx(dict.fromkeys(fields, 1))
    assert (score.protocol["train_count"], score.protocol["count"], score.protocol["classes"]) == (90, 60, 3)
    assert score.protocol["library"].startswith("scikit-learn 1.")


def test_labels_that_the_codes_know_nothing_of():
    values = scored(Blobs(mixed=True), Identity()).values
    assert values["probe_accuracy"] < 0.6
    assert values["knn_accuracy"] < 0.6
    assert abs(values["ari"]) < 0.1


def test_the_neighbours_of_hand_made_codes():
    metric = Codes(Blobs(), neighbours=1)
    metric.update(torch.tensor([[0.0], [10.0]]), torch.tensor([0, 1]), torch.tensor([True, True]))
    metric.update(
        torch.tensor([[1.0], [9.0], [4.9], [8.0]]), torch.tensor([0, 1, 1, 1]), torch.zeros(4).bool()
    )
    values = metric.compute().values
    assert values["knn_accuracy"] == 0.75
    assert values["probe_accuracy"] == 0.75


def test_precision_counts_each_neighbour_where_the_vote_counts_the_majority():
    metric = Codes(Blobs(), neighbours=3)
    known = torch.tensor([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])
    metric.update(known, torch.tensor([0, 0, 1, 1, 1, 0]), torch.ones(6).bool())
    metric.update(torch.tensor([[1.1], [10.9]]), torch.tensor([0, 0]), torch.zeros(2).bool())
    values = metric.compute().values
    assert values["neighbour_precision"] == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert values["knn_accuracy"] == 0.5


def test_the_count_bounds_both_parts():
    protocol = scored(Blobs(), Identity(), "validation", count=30).protocol
    assert (protocol["train_count"], protocol["count"], protocol["part"]) == (30, 30, "validation")


def test_it_is_a_metric():
    testing.check_metric(lambda part: Codes(Blobs(), part), Identity())


def test_digits_have_the_labels_that_belong_to_them():
    split = Digits().split("test")
    labels = split.take(torch.arange(len(split)), torch.Generator()).y
    assert labels.dtype == torch.int64
    assert torch.bincount(labels).min() > 30

    class Pixels(Identity):
        def code(self, x, y=None):
            return x.flatten(1)

    assert scored(Digits(), Pixels()).values["knn_accuracy"] > 0.95


def test_without_encoder_or_labels_the_reason_is_given():
    class Blind(Identity):
        infers = False

    assert "no encoder" in Codes(Blobs()).unfit(Blind())
    assert "no labels" in Codes(Points()).unfit(Identity())
    assert "reads the labels" in Codes(Points(labelled=True)).unfit(dali(conditional=True))
    assert "learns from the training part" in Codes(Blobs(), "train").unfit(Identity())
    with pytest.raises(UnfitError, match="metric 'codes': data set 'points' has no labels of its train part"):
        scoring.score_all({"codes": lambda part: Codes(Points(), part)}, Identity(), forgiving=False)


def test_codes_that_are_not_finite_or_too_few():
    class Broken(Identity):
        def code(self, x, y=None):
            return x * float("nan")

    with pytest.raises(UnfitError, match="NaN or infinite"):
        scored(Blobs(), Broken())
    with pytest.raises(UnfitError, match="too few"):
        scored(Blobs(), Identity(), neighbours=91)
