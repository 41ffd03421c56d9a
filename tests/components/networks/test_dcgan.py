"""DCGAN networks at many sizes, channel counts and norms."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layers import check_separate_heads
from torch import nn

from dalikit.components.networks.dcgan import DCGANDiscriminator, DCGANEncoder, DCGANGenerator
from dalikit.errors import UnfitError
from dalikit.interfaces import DataSpec
from dalikit.players import doublings


@settings(max_examples=25, deadline=None)
@given(st.integers(8, 70), st.integers(8, 70), st.integers(1, 5), st.integers(1, 6))
def test_any_image_from_8_up(height, breadth, channels, width):
    shape = (channels, height, breadth)
    generator = DCGANGenerator(3, DataSpec(shape, (-1.0, 1.0)), width=width)
    discriminator = DCGANDiscriminator(DataSpec(shape), width=width)
    encoder = DCGANEncoder(discriminator.feature_shape, (3, 2), width=width, convs=1, hidden=8)
    x = generator(torch.randn(2, 3))
    assert x.shape == (2, *shape)
    assert x.abs().max() <= 1
    h = discriminator.trunk(x)
    assert h.shape == (2, *discriminator.feature_shape)
    assert 2 <= min(h.shape[2:]) <= 4
    assert discriminator(x).shape == (2,)
    assert [head.shape for head in encoder(h)] == [(2, 3), (2, 2)]


@given(st.integers(5, 500), st.integers(5, 500))
def test_each_size_is_half_the_next_rounded_up(height, breadth):
    sizes = doublings(height, breadth)
    assert sizes[-1] == (height, breadth)
    assert 2 < min(sizes[0]) <= 4
    assert all(a == ((h + 1) // 2, (w + 1) // 2) for a, (h, w) in pairwise(sizes))


@pytest.mark.parametrize("size", [(24, 40), (40, 24), (28, 20), (8, 31)])
def test_maps_keep_the_shape_of_images_as_they_grow_and_shrink(size):
    generator = DCGANGenerator(3, DataSpec((1, *size)), width=1)
    grown = [generator.stem(torch.randn(2, 3))]
    for doubling, (height, breadth) in zip(generator.doublings, generator.sizes[1:], strict=True):
        grown.append(doubling(grown[-1])[..., :height, :breadth])
    least = min(size)
    times = len(grown) - 1
    assert least / 2**times <= 4 < least / 2 ** (times - 1)
    halved = [tuple(-(-side // 2**i) for side in size) for i in range(times, -1, -1)]
    assert [tuple(h.shape[2:]) for h in grown] == halved
    shrunk = DCGANDiscriminator(DataSpec((1, *size)), width=1).feature_shape[1:]
    assert shrunk == tuple(side // 2**times for side in size)


@pytest.mark.parametrize("shape", [(1, 7, 7), (1, 7, 9), (1, 64, 7), (2,), (8, 8), (1, 4, 4)])
@pytest.mark.parametrize("network", [lambda s: DCGANGenerator(3, s), DCGANDiscriminator])
def test_what_is_no_image_of_8_is_refused(network, shape):
    with pytest.raises(UnfitError, match=r"'dcgan' takes images .* from 8×8 up.*'mlp' takes any shape"):
        network(DataSpec(shape))


def kinds(module: nn.Module) -> set[str]:
    return {type(m).__name__ for m in module.modules()}


def test_norms_of_the_discriminator():
    plain, batch, spectral = (
        DCGANDiscriminator(DataSpec((3, 16, 16)), width=4, norm=n) for n in ("none", "batch", "spectral")
    )
    assert "BatchNorm2d" not in kinds(plain)
    assert "BatchNorm2d" in kinds(batch)
    assert not any("parametrizations" in name for name, _ in plain.named_parameters())
    weighted = [m for m in spectral.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert weighted
    spectral.train()
    for _ in range(60):
        spectral(torch.randn(2, 3, 16, 16))
    spectral.eval()
    for module in weighted:
        norm = torch.linalg.matrix_norm(module.weight.detach().flatten(1), 2)
        assert abs(norm - 1) < 0.05, module


def test_the_generator_has_batch_norm_unless_told_otherwise():
    assert "BatchNorm2d" in kinds(DCGANGenerator(3, DataSpec((1, 8, 8))))
    assert "BatchNorm2d" not in kinds(DCGANGenerator(3, DataSpec((1, 8, 8)), norm="none"))


@pytest.mark.parametrize("convs", [0, 1, 2])
def test_the_heads_share_the_convolutions_and_no_other_layer(convs):
    encoder = DCGANEncoder((4, 2, 2), (3, 3, 2), convs=convs, width=6, hidden=5)
    assert sum(isinstance(m, nn.Conv2d) for m in encoder.modules()) == convs
    check_separate_heads(encoder, torch.randn(5, 4, 2, 2), trunk=2 * convs)


def test_data_within_another_range():
    generator = DCGANGenerator(3, DataSpec((1, 8, 8), (0.0, 1.0)), width=2)
    x = generator(50 * torch.randn(20, 3))
    assert x.min() >= 0
    assert x.max() <= 1
