"""One iteration of the trainer in float64, against a method's losses restated with the same draws."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from adam import Adam
from players import Points, Z, small
from torch import Tensor, nn

from dalikit.interfaces import Method
from dalikit.randomness import derived_seed
from dalikit.training import Trainer

SEED, BATCH, RATE, BETAS = 3, 6, 1e-2, (0.5, 0.9)

RATIO = 0.3
"""Of weights that set themselves."""

OPTIONS = {"lr": RATE, "optimizer": {"name": "adam", "betas": BETAS}}
"""Of a trainer that steps like `adam` here."""


def check_one_iteration(restate: Callable[..., None], cls: type[Method], **settings: Any) -> None:
    """A method trained for one iteration must end with the parameters that `restate` arrives at, to 1e-9.

    `restate` is given a copy of the method to train by itself, x and z, and labels where the method is
    conditional. What it draws after that by `noise` are the trainer's own numbers, if it draws in the
    trainer's order.
    """
    torch.manual_seed(1)
    trained = small(cls, **settings).double()
    mine, data = copy.deepcopy(trained), Points(BATCH, labelled=trained.conditional)
    Trainer(trained, data, (), SEED, steps=1, batch_size=BATCH, **OPTIONS).fit()
    order = torch.Generator().manual_seed(derived_seed(SEED, "order"))
    index = torch.randperm(BATCH, generator=order)
    x, labels = data.data.double()[index], () if data.labels is None else (data.labels[index],)
    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(SEED, "training"))
        restate(mine, x, noise(), *labels)
    for (name, a), b in zip(trained.named_parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9, msg=lambda m, name=name: f"{name}: {m}")


def weigher(weight: float | str) -> Callable[..., Any]:
    """What gives a term's weight: the number; for `balanced` RATIO times how hard the game pulls beside it.

    Pulls are lengths of gradients at what was generated, root mean squares over the batch; of all the times
    that it was asked the game's is such a mean too, and the term's a geometric one, or the last if that
    is more.
    """
    terms: list[Tensor] = []
    games: list[Tensor] = []

    def pull(loss: Tensor, at: Tensor) -> Tensor:
        (slopes,) = torch.autograd.grad(loss, at, retain_graph=True)
        return (sum(slope.norm() ** 2 for slope in slopes) / BATCH).sqrt()

    def weigh(term: Tensor, game: Tensor, at: Tensor, judged: Tensor | None = None) -> Tensor | float:
        if weight != "balanced":
            return weight
        terms.append(pull(term, at))
        games.append(pull(game, at if judged is None else judged))
        of_game = (torch.stack(games) ** 2).mean().sqrt()
        of_term = torch.stack(terms).prod() ** (1 / len(terms))
        return RATIO * of_game / torch.maximum(of_term, terms[-1])

    return weigh


def adam(module: nn.Module) -> Adam:
    """Adam as the trainer has it."""
    return Adam(module, RATE, BETAS)


def noise(size: int = Z) -> Tensor:
    """The next normal numbers (B, size) of the iteration."""
    return torch.randn(BATCH, size, dtype=torch.float64)


def draw(mean: Tensor, log_variance: Tensor) -> Tensor:
    """A draw from the diagonal Gaussian of an encoder's heads (B, Z)."""
    return mean + torch.exp(log_variance / 2) * noise()
