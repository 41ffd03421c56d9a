"""The introspective adversarial network against its losses written out, and on the ring of 8."""

import copy
from collections.abc import Mapping

import torch
from players import Points
from torch import Tensor, nn

from dalikit import testing
from dalikit.components.datasets.mixtures import Ring8
from dalikit.components.methods.ian import IAN
from dalikit.components.metrics.modes import Modes
from dalikit.components.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator
from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.evaluation import score
from dalikit.randomness import derived_seed
from dalikit.training import Trainer

Z, BATCH, RATE = 3, 6, 1e-2


def method(width: int = 8, latent_size: int = Z, **settings) -> IAN:
    family = Diagonal(latent_size)
    generator = MLPGenerator(latent_size, (2,), None, width=width)
    discriminator = MLPDiscriminator((2,), width=width)
    encoder = MLPEncoder((width,), family.heads(), width=width)
    return IAN(generator, discriminator, encoder, family, **settings)


def descend(loss: Tensor, *optimizers: torch.optim.Optimizer) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()


def adam(module: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), RATE, (0.5, 0.999))


def restate(mine: IAN, data: Tensor) -> None:
    g, d, e, ternary = mine.generator, mine.discriminator, mine.encoder, mine.ternary[1]
    g_adam, d_adam, e_adam, t_adam = adam(g), adam(d), adam(e), adam(ternary)
    torch.manual_seed(derived_seed(3, "training"))
    x = data[torch.randperm(BATCH, generator=torch.Generator().manual_seed(derived_seed(3, "order")))]
    z = torch.randn(BATCH, Z, dtype=data.dtype)

    def entropy(h: Tensor, kind: int) -> Tensor:
        logits = h @ ternary.weight.T + ternary.bias
        return (torch.exp(logits).sum(1).log() - logits[:, kind]).sum() / BATCH

    def rebuilt(h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = e(h)
        code = mean + torch.exp(log_variance / 2) * torch.randn(BATCH, Z, dtype=data.dtype)
        return g(code), mean, log_variance

    again = rebuilt(d.features(x))[0].detach()
    real, generated, reconstructed = d.features(x), d.features(g(z).detach()), d.features(again)
    descend(entropy(real, 0) + entropy(generated, 1) + entropy(reconstructed, 2), d_adam, t_adam)

    h = d.features(x)
    again, mean, log_variance = rebuilt(h)
    h_again = d.features(again)
    kl = (torch.exp(log_variance) + mean**2 - 1 - log_variance).sum() / 2 / BATCH
    loss = entropy(d.features(g(z)), 0) + entropy(h_again, 0) + 2 * (x - again).abs().sum() / (2 * BATCH)
    loss = loss + 0.6 * ((h - h_again) ** 2).sum() / (8 * BATCH) + 0.3 / Z * kl
    descend(loss, g_adam, e_adam)


def test_one_iteration_is_the_papers() -> None:
    torch.manual_seed(1)
    trained = method(image_weight=2.0, feature_weight=0.6, kl_weight=0.3).double()
    mine, data = copy.deepcopy(trained), Points(BATCH)
    Trainer(trained, data, (), 3, steps=1, batch_size=BATCH, lr=RATE).fit()
    with torch.random.fork_rng():
        restate(mine, data.data.double())
    for a, b in zip(trained.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def on_the_ring(seed: int) -> Mapping[str, float]:
    torch.manual_seed(seed)
    data = Ring8()
    trainer = Trainer(
        method(64, 2), data, (), seed,
        steps=2000, batch_size=256, lr=4e-3, betas=(0.5, 0.99), schedule="linear", ema=0.99
    )  # fmt: skip
    trainer.fit()
    return score(Modes(data), trainer.inference).values


def test_ring_of_8() -> None:
    # Seeds 0, 1 and 2 reached all 8 modes, and 0.80, 0.76 and 0.80 of high quality, in 7 seconds each.
    values = on_the_ring(0)
    assert values["modes"] == 8
    assert values["high_quality"] > 0.6


def test_contract() -> None:
    testing.check_method(method, Points())
