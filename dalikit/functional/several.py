"""Several generated samples for one real one."""

from torch import Tensor


def sum_over_samples(losses: Tensor, batch: int) -> Tensor:
    """Sum losses (K·B,), sample k of datum b at k·B + b, over k to (B,).

    Examples:
        >>> import torch
        >>> sum_over_samples(torch.tensor([1.0, 2.0, 10.0, 20.0]), 2)
        tensor([11., 22.])
    """
    return losses.unflatten(0, (-1, batch)).sum(0)
