"""The first datum that is not finite is named, wherever it lies and however the data are cut."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dalikit.data import arrayfiles, prepared
from dalikit.data.inputs import Inputs
from dalikit.data.values import extent
from dalikit.errors import UserError
from dalikit.interfaces import DataSpec

UNFIT = st.sampled_from([math.nan, math.inf, -math.inf])


@given(st.data())
def test_the_first_of_several_is_named(data):
    count, step = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 50))
    x = torch.linspace(-1.0, 2.0, count * 6).reshape(count, 2, 3)
    bad = data.draw(st.dictionaries(st.integers(0, count - 1), UNFIT, min_size=1))
    for row, value in bad.items():
        x[row, data.draw(st.integers(0, 1)), data.draw(st.integers(0, 2))] = value
    with pytest.raises(UserError, match=rf"^These: the datum at index {min(bad)} holds a value that is NaN"):
        extent(x.split(step), "These")


@given(st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1), min_size=1))
def test_of_finite_data_the_ends_are_found(parts):
    values = [value for part in parts for value in part]
    assert extent([torch.tensor(part) for part in parts], "These") == (min(values), max(values))


def test_there_are_no_ends_of_nothing():
    assert extent([torch.zeros(0, 3)], "These") == (math.inf, -math.inf)


@pytest.mark.parametrize("mapped", [False, True])
def test_of_a_file_the_array_and_the_index_are_named(mapped, tmp_path, monkeypatch):
    if mapped:
        monkeypatch.setattr(prepared, "LIMIT", 0)
    monkeypatch.setattr(prepared, "CHUNK", 1000)
    arrays = {"train_images": np.zeros((400, 4, 4), np.float32), "test_images": np.zeros((90, 4, 4), ">f4")}
    arrays["test_images"][77, 3, 0] = -np.inf
    path = tmp_path / "x.npz"
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=r"x\.npz, array 'test_images': the datum at index 77 holds"):
        arrayfiles.read(path, 0.0, 1.0)


def test_of_what_is_handed_to_a_run_the_file_and_the_index_are_named(tmp_path):
    points = np.zeros((50, 2))
    points[31, 1] = np.nan
    np.save(tmp_path / "points.npy", points)
    with pytest.raises(UserError, match=r"Data of .*points\.npy: the datum at index 31 holds a value"):
        Inputs(DataSpec((2,), None)).prepare(tmp_path / "points.npy")
