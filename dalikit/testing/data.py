"""The contract of data sets and metrics, as checks."""

import re

import torch
from torch import Tensor

from dalikit.assembly.parameters import parameter_model
from dalikit.evaluation.scoring import Maker, score
from dalikit.interfaces import Dataset, Method, Score, Split, Stamp
from dalikit.randomness import RandomState
from dalikit.testing.assertions import B, check_shape, check_within


def check_dataset(dataset: Dataset) -> None:
    """All parts give data of the stated shape and range, the same for the same random state, and a stamp."""
    assert dataset.preparation, "preparation says where the data come from"
    _check_told(dataset)
    for part in ("train", "validation", "test"):
        split = dataset.split(part)
        assert len(split) > 0, f"the {part} part has data"
        index = torch.arange(min(B, len(split)))
        first, again = (split.take(index, torch.Generator().manual_seed(1)) for _ in range(2))
        assert torch.equal(first.x, again.x), (
            "what is random in data is drawn from the generator given, alone"
        )
        x = dataset.scale(first.x)
        check_shape(part, x, (len(index), *dataset.spec.x_shape))
        assert x.is_floating_point(), "scale gives floats"
        check_within(x, dataset.spec)
        if dataset.spec.classes is not None:
            _check_labels(first.y, len(index), len(dataset.spec.classes))
        _check_stamp(split, dataset.stamp[part])


def _check_stamp(split: Split, stamp: Stamp) -> None:
    """It counts the part's data, and is the same whenever and after whatever it is made."""
    assert stamp.count == len(split), "a stamp counts the data"
    assert 0 <= stamp.looked_at <= stamp.count, "a stamp is of the data that there are"
    assert re.fullmatch("[0-9a-f]{64}", stamp.sha256), "a stamp's sha256 is one, in hexadecimal"
    split.take(torch.zeros(2, dtype=torch.int64), torch.Generator().manual_seed(2))
    with RandomState.seeded(3).swapped_in():
        assert split.stamp() == stamp, "the same data have the same stamp, whatever is drawn beside it"


def _check_told(dataset: Dataset) -> None:
    """What it says of itself fits its constructor, its shape and a terminal."""
    lines = dataset.introduction()
    assert 1 <= len(lines) <= 2, "an introduction is a line or two"
    assert not any("\n" in line for line in lines), "an introduction is a line or two"
    shape, fitting, scaled = tuple(dataset.spec.x_shape), dataset.fitting, dataset.standardization
    assert fitting is None or (fitting.channels, fitting.height, fitting.width) == shape, "fitting makes x"
    assert scaled is None or all((len(numbers),) == shape for numbers in scaled), "a number for each column"
    own = {*dataset.settled, *(["path"] if dataset.suffixes else [])}
    assert not own or own <= {*parameter_model(type(dataset)).model_fields}, "settled are its own parameters"


def _check_labels(y: Tensor | None, n: int, classes: int) -> None:
    assert y is not None, "data with classes have labels"
    check_shape("labels", y, (n,))
    assert y.dtype == torch.int64, f"labels are int64, not {y.dtype}"
    assert bool((y >= 0).all() and (y < classes).all()), f"labels index the {classes} classes"


def check_metric(build: Maker, method: Method) -> None:
    """What it feeds on it can take in, and its score has finite values and a protocol; it repeats."""
    scores = [score(build, method) for _ in range(2)]
    assert isinstance(scores[0], Score), "compute gives a Score"
    assert scores[0] == scores[1], "the same method gets the same score"
    assert scores[0].metric == build("test").name, "a score bears its metric's name"
    assert scores[0].protocol, "a score without its protocol means nothing"
    dataset = getattr(build("test"), "dataset", None)
    assert dataset is None or isinstance(dataset, Dataset), "what a metric keeps as `dataset` is its data set"
    values = [float(value) for value in scores[0].values.values()]
    assert values, "a score has values"
    assert all(torch.isfinite(torch.tensor(values))), "values are finite"
    for field, better in build("test").headline:
        assert field in scores[0].values, f"its headline is of its values, which '{field}' is not"
        assert better in ("lower", "higher"), "a headline says which is better, lower or higher"
