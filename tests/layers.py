"""What tests of networks look at: their layers, their weights, and simple layers written out."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from dalikit.interfaces import Encoder


def spread(network: nn.Module) -> nn.Module:
    """`network` in float64, each of its parameters drawn anew, scales and biases too, of both signs."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape) * parameter[0].numel() ** -0.5)
    return network.double()


def weighted(network: nn.Module) -> list[nn.Module]:
    """The convolutions and dense layers of a network."""
    kinds = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
    return [m for m in network.modules() if isinstance(m, kinds)]


def shapes(network: nn.Module) -> list[tuple[int, ...]]:
    """The shapes of their weights."""
    return [tuple(m.weight.shape) for m in weighted(network)]


def rectified(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0)


def leaky(x: Tensor, slope: float) -> Tensor:
    return torch.where(x > 0, x, slope * x)


def normalised(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Batch norm of (B, C) or (B, C, S, S) by the batch's own statistics."""
    axes = [i for i in range(x.dim()) if i != 1]
    variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    scale, shift = (p.reshape(mean.shape) for p in (scale, shift))
    return scale * (x - mean) / (variance + 1e-5) ** 0.5 + shift


def check_separate_heads(encoder: Encoder, h: Tensor, trunk: int = 2, own: int = 4) -> None:
    """Each of three heads must reach the trunk's parameters and some of its own, and no other head's."""
    heads = encoder(h)
    assert len(heads) == 3
    parameters = list(encoder.parameters())
    reached = []
    for head in heads:
        gradients = torch.autograd.grad(head.sum(), parameters, retain_graph=True, allow_unused=True)
        reached.append({i for i, gradient in enumerate(gradients) if gradient is not None})
    assert set.union(*reached) == set(range(len(parameters)))
    assert {len(one) for one in reached} == {trunk + own}
    assert all(len(one & other) == trunk for one, other in pairwise([*reached, reached[0]]))
