"""Multilayer perceptrons."""

import torch

from dalikit.components.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator
from dalikit.interfaces import DataSpec


def test_layers_are_as_many_and_as_wide_as_asked():
    generator = MLPGenerator(5, DataSpec((1, 4, 4)), width=7, depth=3)
    shapes = [tuple(p.shape) for p in generator.parameters() if p.dim() == 2]
    assert shapes == [(7, 5), (7, 7), (7, 7), (16, 7)]
    discriminator = MLPDiscriminator(DataSpec((2,)), width=6, depth=2, head_depth=1)
    shapes = [tuple(p.shape) for p in discriminator.parameters() if p.dim() == 2]
    assert shapes == [(6, 2), (6, 6), (6, 6), (1, 6)]
    encoder = MLPEncoder((6,), (3, 4), width=8)
    shapes = [tuple(p.shape) for p in encoder.parameters() if p.dim() == 2]
    assert shapes == [(8, 6), (8, 8), (3, 8), (8, 8), (4, 8)]


def test_x_scale_is_the_unit_of_the_data():
    torch.manual_seed(0)
    one = MLPGenerator(2, DataSpec((2,)))
    torch.manual_seed(0)
    three = MLPGenerator(2, DataSpec((2,)), x_scale=3.0)
    z = torch.randn(4, 2)
    torch.testing.assert_close(three(z), 3 * one(z))
    torch.manual_seed(0)
    plain = MLPDiscriminator(DataSpec((2,)))
    torch.manual_seed(0)
    scaled = MLPDiscriminator(DataSpec((2,)), x_scale=3.0)
    torch.testing.assert_close(scaled(3 * z), plain(z))
