"""Random state: borrowed and given back, in all three generators."""

import json
import random

import numpy as np
import pytest
import torch

from dalikit.randomness import RandomState


def draw():
    return (
        random.random(),
        random.gauss(0, 1),
        float(np.random.rand()),
        float(np.random.randn()),
        torch.rand(2).tolist(),
    )


def test_a_seed_repeats_and_the_callers_state_is_left_alone():
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = draw()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    with RandomState.seeded(5).swapped_in():
        first = draw()
    with RandomState.seeded(5).swapped_in():
        assert draw() == first
    assert draw() == expected


def test_it_goes_on_where_it_stopped_also_by_way_of_json():
    state = RandomState.seeded(2)
    with state.swapped_in():
        draw()
    kept = {n: t.clone() for n, t in state.tensors.items()}, json.loads(json.dumps(state.python))
    with state.swapped_in():
        expected = draw()
    with RandomState(*kept).swapped_in():
        assert draw() == expected


def test_the_state_comes_back_after_an_error():
    torch.manual_seed(3)
    before = torch.get_rng_state()

    def fail():
        with RandomState.seeded(1).swapped_in():
            torch.rand(1)
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 (any would do)
        fail()
    assert torch.equal(torch.get_rng_state(), before)
