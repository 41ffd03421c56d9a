"""Gradient penalties on a critic, a callable from data (B, *X) to logits (B,)."""

from collections.abc import Callable

import torch
from torch import Tensor


def squared_gradient_norm(critic: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """‖∇ critic(x)‖² (B,) at each datum x (B, *X), with the graph that a penalty needs."""
    x = x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(1)


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """(‖∇ critic(x̂)‖ - 1)² (B,) at points x̂ drawn uniformly between real (B, *X) and fake data.

    With several fakes for one real, (K·B, *X), there is a point for each, and their mean counts.

    Source: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", equation (3).
    """
    several = len(fake) // len(real)
    t = torch.rand(len(fake), *[1] * (real.dim() - 1), device=real.device, dtype=real.dtype)
    between = torch.lerp(fake, real.repeat(several, *[1] * (real.dim() - 1)), t)
    # The small constant keeps the root's slope finite where the critic is flat.
    norm = torch.sqrt(squared_gradient_norm(critic, between) + 1e-12)
    return (norm - 1).square().unflatten(0, (several, len(real))).mean(0)


def zero_centred_penalty(critic: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """½‖∇ critic(x)‖² (B,): R1 at real data, R2 at generated data (B, *X).

    Source: Mescheder et al. 2018, "Which Training Methods for GANs do actually Converge?", equation (9).
    """
    return 0.5 * squared_gradient_norm(critic, x)
