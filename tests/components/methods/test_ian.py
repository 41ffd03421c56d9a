"""The introspective adversarial network against its losses written out, and on the ring of 8."""

import torch
from adam import descend
from iteration import BATCH, adam, check_one_iteration, draw
from players import Points, Z, small
from ring import check_ring
from torch import Tensor

from dalikit import testing
from dalikit.components.datasets.mixtures import Ring8
from dalikit.components.methods.ian import IAN


def restate(mine: IAN, x: Tensor, z: Tensor) -> None:
    g, d, e, ternary = mine.generator, mine.discriminator, mine.encoder, mine.ternary[0][1]
    g_adam, d_adam, e_adam, t_adam = adam(g), adam(d), adam(e), adam(ternary)

    def entropy(h: Tensor, kind: int) -> Tensor:
        logits = h @ ternary.weight.T + ternary.bias
        return (torch.exp(logits).sum(1).log() - logits[:, kind]).sum() / BATCH

    def rebuilt(h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = e(h)
        return g(draw(mean, log_variance)), mean, log_variance

    again = rebuilt(d.trunk(x))[0].detach()
    real, generated, reconstructed = d.trunk(x), d.trunk(g(z).detach()), d.trunk(again)
    descend(entropy(real, 0) + entropy(generated, 1) + entropy(reconstructed, 2), d_adam, t_adam)

    h = d.trunk(x)
    again, mean, log_variance = rebuilt(h)
    h_again = d.trunk(again)
    kl = (torch.exp(log_variance) + mean**2 - 1 - log_variance).sum() / 2 / BATCH
    loss = entropy(d.trunk(g(z)), 0) + entropy(h_again, 0) + 2 * (x - again).abs().sum() / (2 * BATCH)
    loss = loss + 0.6 * ((h - h_again) ** 2).sum() / (8 * BATCH) + 0.3 / Z * kl
    descend(loss, g_adam, e_adam)


def test_one_iteration_is_the_papers() -> None:
    check_one_iteration(restate, IAN, image_weight=2.0, feature_weight=0.6, kl_weight=0.3)


def test_ring_of_8() -> None:
    # Seeds 0, 1 and 2 reached all 8 modes, and 0.81, 0.74 and 0.81 of high quality; chance is 0.08.
    check_ring(IAN, 0.6, Ring8(), {"optimizer": {"betas": (0.5, 0.99)}})


def test_contract() -> None:
    testing.check_method(lambda: small(IAN), Points())
