"""SN-GAN's residual networks beside tables of its appendix B.4, and every forward pass written out."""

from functools import partial

import layers
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layers import check_separate_heads, normalised, rectified, spread, weighted
from torch import Tensor, nn
from torch.nn.functional import conv2d

from dalikit.components.networks.sn_resnet import (
    DownBlock,
    SNResNetDiscriminator,
    SNResNetEncoder,
    SNResNetGenerator,
    UpBlock,
)
from dalikit.errors import UnfitError
from dalikit.interfaces import DataSpec
from dalikit.players import weight_norm

leaky = partial(layers.leaky, slope=0.2)

SIZES = {
    (8, 8): [(4, 4), (4, 4)],
    (16, 16): [(8, 8), (8, 8)],
    (32, 32): [(16, 16), (8, 8), (8, 8)],
    (64, 64): [(32, 32), (16, 16), (8, 8), (8, 8)],
    (24, 40): [(12, 20), (6, 10), (6, 10)],
    (37, 20): [(18, 10), (9, 5), (9, 5)],
}
"""The sizes of the features' blocks; the head's block has the last of them once more."""

GROWN = {
    (8, 8): [(8, 8)],
    (16, 16): [(8, 8), (16, 16)],
    (32, 32): [(8, 8), (16, 16), (32, 32)],
    (64, 64): [(8, 8), (16, 16), (32, 32), (64, 64)],
    (24, 40): [(6, 10), (12, 20), (24, 40)],
    (37, 20): [(10, 5), (19, 10), (37, 20)],
}
"""The sizes of the generator's blocks."""


def outputs(network: nn.Module, kind: type[nn.Module]) -> list[tuple[int, ...]]:
    """Filled, at each pass, with the shape (C, S, S) that each module of `kind` puts out."""
    shapes: list[tuple[int, ...]] = []
    for module in network.modules():
        if isinstance(module, kind):
            module.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    return shapes


def halved(x: Tensor) -> Tensor:
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def doubled(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def down(block: DownBlock, x: Tensor, *, halve: bool, first: bool = False) -> Tensor:
    """Two 3×3 convolutions, each after a ReLU but for the data; a 1×1 convolution where sizes differ."""
    (w, b), (v, c) = ((conv.weight, conv.bias) for conv in block.convs)
    h = conv2d(rectified(conv2d(x if first else rectified(x), w, b, padding=1)), v, c, padding=1)
    if halve or w.shape[0] != w.shape[1]:
        x = conv2d(x, block.skip.weight, block.skip.bias)
    return halved(h) + halved(x) if halve else h + x


def up(block: UpBlock, x: Tensor, rows: int | None = None) -> Tensor:
    """Batch norm and a ReLU before each 3×3 convolution, at the doubled size; a 1×1 convolution beside it."""
    h = doubled(rectified(normalised(x, block.norms[0].weight, block.norms[0].bias)))[:, :, :rows]
    h = conv2d(h, block.first.weight, block.first.bias, padding=1)
    h = rectified(normalised(h, block.norms[1].weight, block.norms[1].bias))
    h = conv2d(h, block.second.weight, block.second.bias, padding=1)
    return h + conv2d(doubled(x)[:, :, :rows], block.skip.weight, block.skip.bias)


@settings(max_examples=25, deadline=None)
@given(st.integers(8, 70), st.integers(8, 70), st.integers(1, 3))
def test_shapes_and_ranges(height: int, breadth: int, channels: int) -> None:
    shape = (channels, height, breadth)
    generator = SNResNetGenerator(5, DataSpec(shape, (0.0, 1.0)), width=4)
    discriminator = SNResNetDiscriminator(DataSpec(shape), width=6)
    encoder = SNResNetEncoder(discriminator.feature_shape, (3, 2), width=4, hidden=8)
    x = generator(50 * torch.randn(2, 5))
    assert x.shape == (2, *shape)
    assert x.min() >= 0
    assert x.max() <= 1
    h = discriminator.trunk(x)
    assert h.shape == (2, *discriminator.feature_shape)
    assert discriminator(x).shape == (2,)
    assert torch.equal(discriminator.eval()(x), discriminator.head(discriminator.trunk(x)))
    assert [head.shape for head in encoder(h)] == [(2, 3), (2, 2)]


def test_data_without_a_range_are_not_bounded() -> None:
    torch.manual_seed(0)
    generator = SNResNetGenerator(5, DataSpec((1, 8, 8)), width=4)
    with torch.no_grad():
        generator.net[-1].bias.fill_(7.0)
    assert generator(torch.randn(2, 5)).max() > 6


@pytest.mark.parametrize(("size", "sizes"), SIZES.items())
def test_blocks_at_each_size(size: tuple[int, int], sizes: list[tuple[int, int]]) -> None:
    generator = SNResNetGenerator(5, DataSpec((3, *size)), width=4)
    grown = outputs(generator, UpBlock)
    generator(torch.randn(2, 5))
    assert grown == [(4, *sides) for sides in GROWN[size]]
    discriminator = SNResNetDiscriminator(DataSpec((3, *size)), width=6)
    shrunk = outputs(discriminator, DownBlock)
    h = discriminator.trunk(torch.randn(2, 3, *size))
    assert shrunk == [(6, *sides) for sides in sizes]
    shrunk.clear()
    discriminator.head(h)
    assert shrunk == [(6, *sizes[-1])]


def test_table_4() -> None:
    generator = SNResNetGenerator(128, DataSpec((3, 32, 32), (-1.0, 1.0)))
    block = [(256, 256, 3, 3), (256, 256, 3, 3), (256, 256, 1, 1)]
    shapes = [tuple(m.weight.shape) for m in weighted(generator)]
    assert shapes == [(4 * 4 * 256, 128), *3 * block, (3, 256, 3, 3)]
    assert [m.num_features for m in generator.modules() if isinstance(m, nn.BatchNorm2d)] == 7 * [256]
    discriminator = SNResNetDiscriminator(DataSpec((3, 32, 32)))
    assert discriminator.feature_shape == (128, 8, 8)
    same, down = 2 * [(128, 128, 3, 3)], [(128, 128, 1, 1)]
    first = [(128, 3, 3, 3), (128, 128, 3, 3), (128, 3, 1, 1)]
    shapes = [tuple(m.weight.shape) for m in weighted(discriminator)]
    assert shapes == [*first, *same, *down, *same, *same, (1, 128)]
    assert not any(isinstance(m, nn.BatchNorm2d) for m in discriminator.modules())


@pytest.mark.parametrize("size", [8, 32])
@pytest.mark.parametrize("norm", ["spectral", "none", None])
def test_spectral_norm_is_on_every_weight_or_on_none(size: int, norm: str | None) -> None:
    torch.manual_seed(0)
    given = {} if norm is None else {"norm": norm}
    discriminator = SNResNetDiscriminator(DataSpec((2, size, size)), width=5, **given)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(10)  # so that no weight has the norm 1 by chance
    x = torch.randn(2, 2, size, size)
    for _ in range(60):
        discriminator(x)
    discriminator.eval()
    modules = weighted(discriminator)
    assert len(modules) == {8: 3 + 2 + 2 + 1, 32: 3 + 3 + 2 + 2 + 1}[size]
    for module in modules:
        largest = torch.linalg.svdvals(module.weight.detach().flatten(1))[0]
        assert largest > 2 if norm == "none" else abs(largest - 1) < 0.02, module


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("halve", [False, True])
@pytest.mark.parametrize("inputs", [3, 4])
def test_a_block_of_the_discriminator(inputs: int, halve: bool, first: bool) -> None:
    torch.manual_seed(0)
    block = spread(DownBlock(inputs, 4, weight_norm("none"), halve=halve, first=first))
    x = torch.randn(2, inputs, 6, 6, dtype=torch.float64)
    kept = x.clone()
    torch.testing.assert_close(block(x), down(block, x, halve=halve, first=first))
    assert torch.equal(x, kept)


def test_a_block_of_the_generator() -> None:
    torch.manual_seed(0)
    block = spread(UpBlock(3, 4, (10, 10)))
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(block(x), up(block, x))


def test_a_block_of_the_generator_crops_before_it_convolves() -> None:
    torch.manual_seed(0)
    block = spread(UpBlock(3, 4, (9, 12)))
    x = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    assert block(x).shape == (2, 4, 9, 12)
    torch.testing.assert_close(block(x), up(block, x, rows=9))


def test_the_generator_written_out() -> None:
    torch.manual_seed(0)
    generator = spread(SNResNetGenerator(5, DataSpec((2, 16, 16), (-1.0, 1.0)), width=3))
    z = torch.randn(4, 5, dtype=torch.float64)
    dense, last = weighted(generator)[0], weighted(generator)[-1]
    h = (z @ dense.weight.T + dense.bias).reshape(4, 3, 4, 4)
    for block in [m for m in generator.modules() if isinstance(m, UpBlock)]:
        h = up(block, h)
    norm = [m for m in generator.modules() if isinstance(m, nn.BatchNorm2d)][-1]
    h = rectified(normalised(h, norm.weight, norm.bias))
    x = torch.tanh(conv2d(h, last.weight, last.bias, padding=1))
    torch.testing.assert_close(generator(z), x)


def test_the_discriminator_written_out() -> None:
    torch.manual_seed(0)
    discriminator = spread(SNResNetDiscriminator(DataSpec((2, 32, 32)), width=3, norm="none"))
    x = torch.randn(4, 2, 32, 32, dtype=torch.float64)
    blocks = [m for m in discriminator.modules() if isinstance(m, DownBlock)]
    h = down(blocks[0], x, halve=True, first=True)
    h = down(blocks[1], h, halve=True)
    h = down(blocks[2], h, halve=False)
    torch.testing.assert_close(discriminator.trunk(x), h)
    h = rectified(down(blocks[3], h, halve=False)).sum((2, 3))
    dense = weighted(discriminator)[-1]
    torch.testing.assert_close(discriminator(x), h @ dense.weight[0] + dense.bias)


@pytest.mark.parametrize("size", [4, 7, 8])
def test_the_encoder_written_out(size: int) -> None:
    torch.manual_seed(0)
    encoder = spread(SNResNetEncoder((3, size, size), (4, 2), width=5, hidden=6))
    h = torch.randn(2, 3, size, size, dtype=torch.float64)
    parameters = iter(encoder.parameters())
    w, b = next(parameters), next(parameters)
    assert w.shape == (5, 3, 4, 4)
    a = leaky(conv2d(rectified(h), w, b, stride=2, padding=1)).reshape(2, 5 * (size // 2) ** 2)
    for head in encoder(h):
        w, b, v, c = (next(parameters) for _ in range(4))
        assert w.shape[0] == 6
        torch.testing.assert_close(head, leaky(a @ w.T + b) @ v.T + c)
    assert not list(parameters)


def test_the_heads_share_no_layer() -> None:
    check_separate_heads(SNResNetEncoder((4, 8, 8), (3, 3, 2), width=4, hidden=5), torch.randn(5, 4, 8, 8))


@pytest.mark.parametrize(
    "shape", [(3, 4, 4), (3, 0, 0), (3, 7, 32), (3, 32, 7), (2,), (32, 32), (1, 3, 32, 32)]
)
@pytest.mark.parametrize("network", [lambda s: SNResNetGenerator(3, s), SNResNetDiscriminator])
def test_what_is_no_image_of_8_is_refused(network, shape) -> None:
    with pytest.raises(UnfitError, match=r"takes images .* from 8×8 up; the data have shape \(.*'mlp'"):
        network(DataSpec(shape))


@pytest.mark.parametrize("shape", [(128,), (8, 8)])
def test_the_encoder_refuses_features_that_are_no_maps(shape) -> None:
    with pytest.raises(UnfitError, match=r"reads features \(C, H, W\), not \(.*'mlp' reads any"):
        SNResNetEncoder(shape, (3,))
