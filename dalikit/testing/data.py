"""The contract of data sets and metrics, as checks."""

import math
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
    assert dataset.preparation, "preparation is empty; it should say where the data come from"
    _check_told(dataset)
    for part in ("train", "validation", "test"):
        split = dataset.split(part)
        assert len(split) > 0, f"the {part} part is empty; it should have data"
        index = torch.arange(min(B, len(split)))
        first, again = (split.take(index, torch.Generator().manual_seed(1)) for _ in range(2))
        assert torch.equal(first.x, again.x), (
            f"data of the {part} part are others when they are taken again; what is random in them should be "
            "drawn from the generator that take is given, alone"
        )
        x = dataset.scale(first.x)
        check_shape(part, x, (len(index), *dataset.spec.x_shape))
        assert x.is_floating_point(), f"scale gives {x.dtype}; it should give floats"
        check_within(x, dataset.spec)
        if dataset.spec.classes is not None:
            _check_labels(first.y, len(index), len(dataset.spec.classes))
        _check_stamp(split, dataset.stamp[part])


def _check_stamp(split: Split, stamp: Stamp) -> None:
    """It counts the part's data, and is the same whenever and after whatever it is made."""
    assert stamp.count == len(split), f"a stamp counts {stamp.count} data; it should count {len(split)}"
    assert 0 <= stamp.looked_at <= stamp.count, (
        f"a stamp is of {stamp.looked_at} data; it should be of 0 to {stamp.count}, those that there are"
    )
    assert re.fullmatch("[0-9a-f]{64}", stamp.sha256), (
        f"a stamp's sha256 is '{stamp.sha256}'; it should be 64 hexadecimal digits"
    )
    split.take(torch.zeros(2, dtype=torch.int64), torch.Generator().manual_seed(2))
    with RandomState.seeded(3).swapped_in():
        assert split.stamp() == stamp, (
            "the stamp is another when it is made again; the same data should have the same stamp, "
            "whatever is drawn beside it"
        )


def _check_told(dataset: Dataset) -> None:
    """What it says of itself fits its constructor, its shape and a terminal."""
    lines = dataset.introduction()
    count = sum(len(line.split("\n")) for line in lines)
    assert 1 <= count <= 2, f"its introduction is {count} lines; it should be a line or two"
    assert len(lines) == count, "a line of its introduction holds two; each should be an item"
    shape, fitting, scaled = tuple(dataset.spec.x_shape), dataset.fitting, dataset.standardization
    made = None if fitting is None else (fitting.channels, fitting.height, fitting.width)
    assert made in (None, shape), f"fitting makes data of shape {made}; they should be x, {shape}"
    assert scaled is None or all((len(numbers),) == shape for numbers in scaled), (
        f"standardization has {' and '.join(str(len(numbers)) for numbers in scaled or ())} numbers; there "
        f"should be a number for each column of data of shape {shape}"
    )
    own = {*dataset.settled, *(["path"] if dataset.suffixes else [])}
    strangers = own - {*parameter_model(type(dataset)).model_fields} if own else set()
    assert not strangers, (
        f"its constructor takes no {', '.join(sorted(strangers))}; what it settles, and `path` where it has "
        "suffixes, should be its own parameters"
    )


def _check_labels(y: Tensor | None, n: int, classes: int) -> None:
    assert y is not None, "its data have no labels; they should have labels, for its spec has classes"
    check_shape("labels", y, (n,))
    assert y.dtype == torch.int64, f"labels are {y.dtype}; they should be int64"
    assert bool((y >= 0).all() and (y < classes).all()), (
        f"labels are {int(y.min())} to {int(y.max())}; they should index the {classes} classes"
    )


def check_metric(build: Maker, method: Method) -> None:
    """What it feeds on it can take in, and its score has finite values and a protocol; it repeats."""
    scores = [score(build, method) for _ in range(2)]
    first, name = scores[0], build("test").name
    assert isinstance(first, Score), f"compute gives a {type(first).__name__}; it should give a Score"
    assert first == scores[1], (
        f"the same method gets {dict(first.values)} and then {dict(scores[1].values)}; a score should repeat"
    )
    assert first.metric == name, f"its score is called '{first.metric}'; it should bear its name, '{name}'"
    assert first.protocol, "its score has no protocol; it should say all that the values depend on"
    dataset = getattr(build("test"), "dataset", None)
    assert dataset is None or isinstance(dataset, Dataset), (
        f"what it keeps as `dataset` is a {type(dataset).__name__}; it should be its data set"
    )
    assert first.values, "its score has no values; it should have one at least"
    for field, value in first.values.items():
        assert math.isfinite(value), f"its value '{field}' is {value}; it should be finite"
    for field, better in build("test").headline:
        known = ", ".join(first.values)
        assert field in first.values, f"its headline has '{field}'; it should be of its values, {known}"
        assert better in ("lower", "higher"), (
            f"its headline says that {better} is better; it should say 'lower' or 'higher'"
        )
