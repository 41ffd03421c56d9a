"""ALI's networks for mixtures: the maxout unit and every forward pass written out, and the paper's sizes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layers import check_separate_heads, normalised, rectified, shapes, spread, weighted
from torch import Tensor, nn

from dalikit.components.networks.maxout import Maxout, MaxoutDiscriminator, MaxoutEncoder, MaxoutGenerator
from dalikit.interfaces import DataSpec
from dalikit.players import weight_norm


def maxout(x: Tensor, weight: Tensor, bias: Tensor, pieces: int) -> Tensor:
    """For each unit the greatest of its pieces, which are `pieces` rows of the weight, one after another."""
    units = []
    for start in range(0, len(weight), pieces):
        best = x @ weight[start] + bias[start]
        for row in range(start + 1, start + pieces):
            piece = x @ weight[row] + bias[row]
            best = torch.where(piece > best, piece, best)
        units.append(best)
    return torch.stack(units, 1)


sizes = st.integers(1, 5)


@settings(max_examples=25, deadline=None)
@given(inputs=sizes, units=sizes, pieces=sizes, seed=st.integers(0, 99))
def test_a_unit_is_the_greatest_of_its_pieces(inputs: int, units: int, pieces: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer = spread(Maxout(inputs, units, pieces, weight_norm("none")))
    x = torch.randn(4, inputs, dtype=torch.float64)
    (linear,) = weighted(layer)
    assert linear.weight.shape == (units * pieces, inputs)
    torch.testing.assert_close(layer(x), maxout(x, linear.weight, linear.bias, pieces))


def test_two_pieces_make_an_absolute_value() -> None:
    layer = Maxout(1, 1, 2, weight_norm("none"))
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        layer.linear.bias.zero_()
    assert layer(torch.tensor([[-3.0], [0.0], [2.0]])).tolist() == [[3.0], [0.0], [2.0]]


def test_layers_of_table_8() -> None:
    generator = MaxoutGenerator(2, DataSpec((2,)))
    assert shapes(generator) == [(400, 2), (400, 400), (400, 400), (400, 400), (2, 400)]
    assert [m.num_features for m in generator.modules() if isinstance(m, nn.BatchNorm1d)] == 4 * [400]
    discriminator = MaxoutDiscriminator(DataSpec((2,)))
    assert shapes(discriminator) == [(1000, 2), (1000, 200), (1000, 200), (1, 200)]
    assert discriminator.feature_shape == (200,)
    units = [m for m in discriminator.modules() if isinstance(m, Maxout)]
    assert [m(torch.randn(3, m.linear.in_features)).shape[1] for m in units] == [200, 200, 200]
    encoder = MaxoutEncoder((200,), (2, 2))
    assert shapes(encoder) == [(200, 200), *2 * [(200, 200), (2, 200)]]


def test_layers_are_as_many_and_as_wide_as_asked() -> None:
    assert shapes(MaxoutGenerator(5, DataSpec((1, 4, 4)), width=7, depth=2)) == [(7, 5), (7, 7), (16, 7)]
    discriminator = MaxoutDiscriminator(DataSpec((1, 4, 4)), width=7, pieces=3)
    assert shapes(discriminator) == [(21, 16), (21, 7), (21, 7), (1, 7)]
    assert shapes(MaxoutEncoder((2, 3), (4,), width=5)) == [(5, 6), (5, 5), (4, 5)]


@pytest.mark.parametrize("shape", [(2,), (1, 4, 4)])
def test_data_of_any_shape(shape: tuple[int, ...]) -> None:
    generator = MaxoutGenerator(3, DataSpec(shape, (0.0, 1.0)), width=6)
    discriminator = MaxoutDiscriminator(DataSpec(shape), width=4)
    x = generator(50 * torch.randn(5, 3))
    assert x.shape == (5, *shape)
    assert x.min() >= 0
    assert x.max() <= 1
    h = discriminator.trunk(x)
    assert h.shape == (5, *discriminator.feature_shape)
    assert discriminator(x).shape == (5,)
    assert [head.shape for head in MaxoutEncoder((4,), (3, 2))(h)] == [(5, 3), (5, 2)]


@pytest.mark.parametrize("value_range", [None, (-1.0, 1.0)])
def test_the_generator_written_out(value_range: tuple[float, float] | None) -> None:
    torch.manual_seed(0)
    generator = spread(MaxoutGenerator(2, DataSpec((3,), value_range), width=6, x_scale=1.5))
    z = h = torch.randn(5, 2, dtype=torch.float64)
    *hidden, w, b = generator.parameters()
    assert len(hidden) == 4 * 4
    for i in range(0, 16, 4):
        v, c, scale, shift = hidden[i : i + 4]
        h = rectified(normalised(h @ v.T + c, scale, shift))
    x = 1.5 * (h @ w.T + b)
    torch.testing.assert_close(generator(z), x if value_range is None else torch.tanh(x))


def test_the_discriminator_written_out() -> None:
    torch.manual_seed(0)
    discriminator = spread(MaxoutDiscriminator(DataSpec((1, 2, 2)), width=4, pieces=3, x_scale=2.0))
    x = torch.randn(5, 1, 2, 2, dtype=torch.float64)
    w1, b1, w2, b2, w3, b3, w4, b4 = discriminator.state_dict().values()
    h = maxout(x.reshape(5, 4) / 2, w1, b1, 3)
    h = maxout(h, w2, b2, 3)
    torch.testing.assert_close(discriminator.trunk(x), h)
    h = maxout(h, w3, b3, 3)
    torch.testing.assert_close(discriminator.head(discriminator.trunk(x)), h @ w4[0] + b4)
    torch.testing.assert_close(discriminator(x), h @ w4[0] + b4)


def test_the_encoder_written_out() -> None:
    torch.manual_seed(0)
    encoder = spread(MaxoutEncoder((4,), (3, 2), width=5))
    h = torch.randn(6, 4, dtype=torch.float64)
    parameters = iter(encoder.parameters())
    w, b = next(parameters), next(parameters)
    a = rectified(h @ w.T + b)
    for head in encoder(h):
        w, b, v, c = (next(parameters) for _ in range(4))
        torch.testing.assert_close(head, rectified(a @ w.T + b) @ v.T + c)
    assert not list(parameters)


def test_the_heads_share_no_layer() -> None:
    check_separate_heads(MaxoutEncoder((4,), (3, 3, 2), width=5), torch.randn(6, 4))


def test_x_scale_is_the_unit_of_the_data() -> None:
    torch.manual_seed(0)
    one, three = (
        MaxoutGenerator(2, DataSpec((2,)), width=6),
        MaxoutGenerator(2, DataSpec((2,)), width=6, x_scale=3.0),
    )
    three.load_state_dict(one.state_dict())
    z = torch.randn(4, 2)
    torch.testing.assert_close(three(z), 3 * one(z))
    plain, scaled = (
        MaxoutDiscriminator(DataSpec((2,)), width=6),
        MaxoutDiscriminator(DataSpec((2,)), width=6, x_scale=3.0),
    )
    scaled.load_state_dict(plain.state_dict())
    torch.testing.assert_close(scaled(3 * z), plain(z))
    assert not torch.allclose(scaled(z), plain(z))


@pytest.mark.parametrize("norm", ["spectral", "none", None])
def test_spectral_norm_is_on_every_weight_or_on_none(norm: str | None) -> None:
    torch.manual_seed(0)
    given = {} if norm is None else {"norm": norm}
    discriminator = MaxoutDiscriminator(DataSpec((2,)), width=6, **given)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(10)  # so that no weight has the norm 1 by chance
    x = torch.randn(4, 2)
    for _ in range(60):
        discriminator(x)
    discriminator.eval()
    for module in weighted(discriminator):
        largest = torch.linalg.svdvals(module.weight.detach())[0]
        assert abs(largest - 1) < 0.02 if norm == "spectral" else largest > 2, module
