"""The order of the data."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from dalikit.interfaces import TensorSplit
from dalikit.training.stream import BatchStream


def stream(count: int, batch: int, seed: int = 0) -> BatchStream:
    """Of data whose labels are three times as large."""
    return BatchStream(TensorSplit(torch.arange(count), 3 * torch.arange(count)), batch, seed)


@given(count=st.integers(1, 40), batch=st.integers(1, 50))
def test_an_epoch_gives_each_datum_at_most_once(count, batch):
    data = stream(count, batch)
    seen = torch.cat([data.next().x for _ in range(data.epoch)])
    assert len(seen.unique()) == len(seen)
    assert len(seen) > count - min(batch, count)


@given(count=st.integers(1, 40), batch=st.integers(1, 50), before=st.integers(0, 9))
def test_it_goes_on_where_it_stopped(count, batch, before):
    data = stream(count, batch)
    for _ in range(before):
        data.next()
    tensors, scalars = data.state()
    kept = {name: tensor.clone() for name, tensor in tensors.items()}
    expected = [data.next().x for _ in range(5)]
    other = stream(count, batch, seed=9)
    other.load(kept, scalars)
    assert all(torch.equal(other.next().x, e) for e in expected)


def test_the_order_depends_on_the_seed_alone():
    assert torch.equal(stream(30, 30, 4).next().x, stream(30, 30, 4).next().x)
    assert not torch.equal(stream(30, 30, 4).next().x, stream(30, 30, 5).next().x)
    first, second = (lambda s: (s.next().x, s.next().x))(stream(30, 30, 4))
    assert not torch.equal(first, second)


@given(count=st.integers(1, 40), batch=st.integers(1, 50))
def test_labels_travel_with_their_data(count, batch):
    data = stream(count, batch)
    for x, y in (data.next() for _ in range(data.epoch + 1)):
        assert torch.equal(y, 3 * x)


def test_data_without_labels_have_none():
    assert BatchStream(TensorSplit(torch.arange(7)), 3, 0).next().y is None
