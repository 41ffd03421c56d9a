"""One DALI iteration of the trainer against the loop most people would write by hand.

    python tests/benchmarks/iteration.py [--rounds 15] [--iterations 40]

Both train the same networks on the same data, in turn within one process; what is printed is the ratio of
their times, round by round, so that a machine whose speed drifts does not matter. The hand-written loop
generates the fake data twice, leaves the discriminator's gradients of the generator's step unused, and has
no averaged weights.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
from torch.nn.functional import softplus

from dalikit.assembly import build, resolve
from dalikit.assembly.registry import Registry
from dalikit.interfaces import Dataset, Method
from dalikit.training import Trainer

RECIPES = ("digits", "grid25")


def hand_written(method: Method, dataset: Dataset, batch: int) -> Callable[[int], None]:
    """A plain loop over deep copies of the method's players."""
    players = [
        copy.deepcopy(method.player(role)) for role in ("generator", "discriminator", "encoder", "family")
    ]
    generator, discriminator, encoder, family = players
    d_adam = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999))
    ge_adam = torch.optim.Adam([*generator.parameters(), *encoder.parameters()], 2e-4, (0.5, 0.999))
    split, rng = dataset.split("train"), torch.Generator().manual_seed(0)
    latent_size = generator.latent_size

    def loop(iterations: int) -> None:
        for _ in range(iterations):
            index = torch.randint(len(split), (batch,), generator=rng)
            real = dataset.scale(split.take(index, rng).x)
            fake = generator(torch.randn(batch, latent_size)).detach()
            loss = softplus(-discriminator(real)).mean() + softplus(discriminator(fake)).mean()
            d_adam.zero_grad()
            loss.backward()
            d_adam.step()
            z = torch.randn(batch, latent_size)
            h = discriminator.trunk(generator(z))
            nll = -family(*encoder(h)).log_prob(z).mean()
            loss = softplus(-discriminator.head(h)).mean() + nll / latent_size
            ge_adam.zero_grad()
            loss.backward()
            ge_adam.step()

    return loop


def measured(recipe: str, rounds: int, iterations: int) -> list[float]:
    """The trainer's time over the hand-written loop's, round by round."""
    registry = Registry.discover()
    plain = {"recipe": recipe, "game": {"name": "gan", "r1": 0.0}, "trainer": {"steps": 10**9}}
    config = resolve.resolve_layers([plain], registry)
    dataset = build.make_dataset(config, registry)
    method = build.make_method(config, dataset.spec, registry)
    batch = config.trainer["batch_size"]
    loop = hand_written(method, dataset, batch)
    trainer = Trainer(method, dataset, steps=iterations, batch_size=batch)

    def ours() -> None:
        trainer.steps = trainer.step + iterations
        trainer.fit()

    ratios = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        ours()
        middle = time.perf_counter()
        loop(iterations)
        ratios.append((middle - start) / (time.perf_counter() - middle))
    return ratios[1:]  # the first round warms up


def main() -> None:
    """Print a line for each recipe."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--iterations", type=int, default=40)
    options = parser.parse_args()
    for recipe in RECIPES:
        ratios = sorted(measured(recipe, options.rounds, options.iterations))
        low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
        print(f"{recipe}: dalikit / hand-written {statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
