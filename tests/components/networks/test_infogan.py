"""InfoGAN's networks for MNIST beside its appendix C.1, and every forward pass written out."""

from functools import partial

import layers
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layers import check_separate_heads, normalised, rectified, shapes, spread, weighted
from torch.nn.functional import conv2d, conv_transpose2d

from dalikit.components.networks.infogan import InfoGANDiscriminator, InfoGANEncoder, InfoGANGenerator
from dalikit.errors import UnfitError
from dalikit.interfaces import DataSpec

leaky = partial(layers.leaky, slope=0.1)


def test_layers_of_appendix_c1() -> None:
    generator = InfoGANGenerator(74, DataSpec((1, 28, 28), (-1.0, 1.0)))
    assert shapes(generator) == [(1024, 74), (7 * 7 * 128, 1024), (128, 64, 4, 4), (64, 1, 4, 4)]
    discriminator = InfoGANDiscriminator(DataSpec((1, 28, 28)))
    features = [(64, 1, 4, 4), (128, 64, 4, 4)]
    assert shapes(discriminator) == [*features, (1024, 128 * 7 * 7), (64, 1024), (1, 64)]
    assert discriminator.feature_shape == (128, 7, 7)
    encoder = InfoGANEncoder((128, 7, 7), (10, 10))
    head = [(256, 64 * 7 * 7), (10, 256)]
    assert shapes(encoder) == [(64, 128, 3, 3), *head, *head]


def test_each_convolution_halves_the_size() -> None:
    discriminator = InfoGANDiscriminator(DataSpec((1, 28, 28)), width=2, hidden=3)
    sides: list[int] = []
    for module in weighted(discriminator)[:2]:
        module.register_forward_hook(lambda _, __, out: sides.append(out.shape[-1]))
    discriminator.trunk(torch.randn(2, 1, 28, 28))
    assert sides == [14, 7]


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 50), st.integers(4, 50), st.integers(1, 3))
def test_shapes_and_ranges(height: int, breadth: int, channels: int) -> None:
    shape = (channels, height, breadth)
    generator = InfoGANGenerator(5, DataSpec(shape, (0.0, 1.0)), width=3, hidden=6)
    discriminator = InfoGANDiscriminator(DataSpec(shape), width=3, hidden=6)
    encoder = InfoGANEncoder(discriminator.feature_shape, (3, 2), width=4, hidden=8)
    x = generator(50 * torch.randn(4, 5))
    assert x.shape == (4, *shape)
    assert x.min() >= 0
    assert x.max() <= 1
    h = discriminator.trunk(x)
    assert h.shape == (4, *discriminator.feature_shape)
    assert discriminator.feature_shape == (6, height // 4, breadth // 4)
    assert discriminator(x).shape == (4,)
    assert [head.shape for head in encoder(h)] == [(4, 3), (4, 2)]


@pytest.mark.parametrize("value_range", [None, (-1.0, 1.0)])
@pytest.mark.parametrize("size", [(28, 28), (26, 27)])
def test_the_generator_written_out(value_range: tuple[float, float] | None, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    generator = spread(InfoGANGenerator(5, DataSpec((2, *size), value_range), width=3, hidden=7))
    z = torch.randn(4, 5, dtype=torch.float64)
    w1, b1, s1, t1, w2, b2, s2, t2, w3, b3, s3, t3, w4, b4 = generator.parameters()
    h = rectified(normalised(z @ w1.T + b1, s1, t1))
    h = rectified(normalised(h @ w2.T + b2, s2, t2)).reshape(4, 6, 7, 7)
    h = rectified(normalised(conv_transpose2d(h, w3, b3, stride=2, padding=1), s3, t3))
    x = conv_transpose2d(h, w4, b4, stride=2, padding=1)[:, :, : size[0], : size[1]]
    torch.testing.assert_close(generator(z), x if value_range is None else torch.tanh(x))


def test_the_discriminator_written_out() -> None:
    torch.manual_seed(0)
    discriminator = spread(InfoGANDiscriminator(DataSpec((2, 28, 28)), width=3, hidden=7, norm="none"))
    x = torch.randn(4, 2, 28, 28, dtype=torch.float64)
    w1, b1, w2, b2, w3, b3, w4, b4, w5, b5 = discriminator.state_dict().values()
    h = leaky(conv2d(x, w1, b1, stride=2, padding=1))
    h = leaky(conv2d(h, w2, b2, stride=2, padding=1))
    torch.testing.assert_close(discriminator.trunk(x), h)
    h = leaky(h.reshape(4, 6 * 7 * 7) @ w3.T + b3)
    h = leaky(h @ w4.T + b4)
    torch.testing.assert_close(discriminator(x), h @ w5[0] + b5)


def test_batch_norm_is_not_after_the_first_convolution() -> None:
    torch.manual_seed(0)
    discriminator = spread(InfoGANDiscriminator(DataSpec((2, 28, 28)), width=3, hidden=7, norm="batch"))
    x = torch.randn(4, 2, 28, 28, dtype=torch.float64)
    w1, b1, w2, b2, s2, t2, w3, b3, s3, t3, w4, b4, w5, b5 = discriminator.parameters()
    h = leaky(conv2d(x, w1, b1, stride=2, padding=1))
    h = leaky(normalised(conv2d(h, w2, b2, stride=2, padding=1), s2, t2))
    torch.testing.assert_close(discriminator.trunk(x), h)
    h = leaky(normalised(h.reshape(4, 6 * 7 * 7) @ w3.T + b3, s3, t3))
    h = leaky(h @ w4.T + b4)
    torch.testing.assert_close(discriminator(x), h @ w5[0] + b5)


@pytest.mark.parametrize("norm", ["spectral", "none", "batch", None])
def test_spectral_norm_is_on_every_weight_or_on_none(norm: str | None) -> None:
    torch.manual_seed(0)
    given = {} if norm is None else {"norm": norm}
    discriminator = InfoGANDiscriminator(DataSpec((2, 28, 28)), width=3, hidden=7, **given)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(10)  # so that no weight has the norm 1 by chance
    x = torch.randn(2, 2, 28, 28)
    for _ in range(60):
        discriminator(x)
    discriminator.eval()
    for module in weighted(discriminator):
        largest = torch.linalg.svdvals(module.weight.detach().flatten(1))[0]
        assert abs(largest - 1) < 0.02 if norm in ("spectral", None) else largest > 2, module
    batch = {m.num_features for m in discriminator.modules() if type(m).__name__.startswith("BatchNorm")}
    assert batch == ({6, 7} if norm == "batch" else set())


def test_the_encoder_written_out() -> None:
    torch.manual_seed(0)
    encoder = spread(InfoGANEncoder((3, 7, 7), (4, 2), width=5, hidden=6))
    h = torch.randn(2, 3, 7, 7, dtype=torch.float64)
    parameters = iter(encoder.parameters())
    w, b = next(parameters), next(parameters)
    a = leaky(conv2d(h, w, b, padding=1)).reshape(2, 5 * 7 * 7)
    for head in encoder(h):
        w, b, v, c = (next(parameters) for _ in range(4))
        torch.testing.assert_close(head, leaky(a @ w.T + b) @ v.T + c)
    assert not list(parameters)


def test_the_heads_share_no_layer() -> None:
    check_separate_heads(InfoGANEncoder((4, 7, 7), (3, 3, 2), width=4, hidden=5), torch.randn(5, 4, 7, 7))


@pytest.mark.parametrize("shape", [(1, 3, 7), (1, 28, 3), (2,), (28, 28), (1, 1, 28, 28)])
@pytest.mark.parametrize("network", [lambda s: InfoGANGenerator(3, s), InfoGANDiscriminator])
def test_what_is_no_image_of_4_is_refused(network, shape) -> None:
    with pytest.raises(UnfitError, match=r"'infogan' takes images .* from 4×4 up; the data have shape \("):
        network(DataSpec(shape))


@pytest.mark.parametrize("shape", [(128,), (7, 7)])
def test_the_encoder_refuses_features_that_are_no_maps(shape) -> None:
    with pytest.raises(UnfitError, match=r"reads features \(C, H, W\), not \(.*'mlp' reads any"):
        InfoGANEncoder(shape, (3,))
