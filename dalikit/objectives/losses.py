"""Losses of a critic and of a generator, sums of weighted terms, and the phases that run them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol

from torch import Tensor, nn

from dalikit.functional.balance import EVERY, Balance
from dalikit.functional.several import sum_over_samples
from dalikit.interfaces import AdversarialGame, Critic, Iteration, Phase, PhaseLoss


class CriticLoss(Protocol):
    """A loss of a critic, with its game's penalty or without it."""

    def __call__(self, iteration: Iteration, *, penalised: bool) -> PhaseLoss:
        """The loss in this iteration."""


def weighted_sum(terms: Mapping[str, Tensor], **weights: Tensor | float) -> PhaseLoss:
    """The sum of `terms`, scalars, each as many times as `weights` says, once unless told.

    Weights that may move, tensors, are terms to log too: `nll weight`.

    Examples:
        >>> import torch
        >>> loss = weighted_sum({"loss": torch.tensor(1.0), "nll": torch.tensor(2.0)}, nll=10.0)
        >>> float(loss.total), float(loss.terms["nll"])
        (21.0, 2.0)
    """
    total = sum(weights[name] * term if name in weights else term for name, term in terms.items())
    assert isinstance(total, Tensor), "of no terms there is no sum"
    moving = {f"{name} weight": weight for name, weight in weights.items() if isinstance(weight, Tensor)}
    return PhaseLoss(total, {**terms, **moving})


def critic_loss(
    game: AdversarialGame,
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    *,
    penalised: bool,
    observe: Callable[[Tensor], None] | None = None,
) -> PhaseLoss:
    """The mean loss of a critic on real, then generated data (B, *X), and the game's penalty if it is due.

    A penalty that is computed in every n-th step alone weighs n times as much there. `observe` is told the
    logits (B,) of real data. Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of
    StyleGAN", section 3.1, lazy regularisation.
    """
    logits = critic(real)
    terms = {"loss": game.discriminator_loss(logits, critic(fake)).mean()}
    if observe is not None:
        observe(logits.detach())
    if penalised:
        terms["penalty"] = game.penalty(critic, real, fake).mean()
    return weighted_sum(terms, penalty=game.penalty_every)


def generator_loss(
    game: AdversarialGame, critic: Critic, fake_logits: Tensor, real: Callable[[], Tensor], samples: int = 1
) -> Tensor:
    """The mean over B, and sum over K, of a generator's losses, from logits (K·B,), K being `samples`.

    K weighs as much here as in the critic's loss. `real` makes the real data (B, *X), and is called for games
    alone that pair each generated datum with a real one. Its logits keep their graph: the critic of an
    unrolled GAN depends on G, and whoever is not trained in the phase gets no gradient anyway.
    """
    batch = len(fake_logits) // samples
    logits = critic(real()) if game.needs_real else None
    return sum_over_samples(game.generator_loss(fake_logits, logits), batch).mean()


def critic_phase(
    game: AdversarialGame, critic: nn.Module, loss: CriticLoss, role: str = "discriminator"
) -> Phase:
    """The phase that trains the critic of `role`, as many steps as the game asks for; each is projected."""
    return Phase(
        role,
        (role,),
        partial(loss, penalised=False),
        repeats=game.discriminator_steps,
        penalised=partial(loss, penalised=True) if game.penalised else None,
        penalty_every=game.penalty_every,
        after=lambda: game.project(critic),
    )


def measured(phase: Phase, weight: Balance) -> Phase:
    """The phase, whose loss measures in every n-th iteration what `weight` weighs, where that sets itself."""

    def loss(iteration: Iteration) -> PhaseLoss:
        with weight.measuring():
            return phase.loss(iteration)

    return replace(phase, penalised=loss, penalty_every=EVERY) if weight.moves else phase
