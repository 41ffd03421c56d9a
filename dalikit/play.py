"""A game played on a critic: the losses that the phases of most methods are made of."""

import torch
from torch import Tensor

from dalikit.functional.several import sum_over_samples
from dalikit.interfaces import AdversarialGame, Critic, PhaseLoss


def discriminator_loss(
    game: AdversarialGame, critic: Critic, real: Tensor, fake: Tensor, step: int = 0
) -> PhaseLoss:
    """The mean loss of a critic on real, then generated data (B, *X), and the game's penalty if it is due.

    A penalty that is computed in every n-th step alone weighs n times as much there. Source: Karras et al.
    2020, "Analyzing and Improving the Image Quality of StyleGAN", section 3.1, lazy regularisation.
    """
    loss = game.discriminator_loss(critic(real), critic(fake)).mean()
    terms = {"loss": loss.detach()}
    penalty = game.penalty(critic, real, fake) if step % game.penalty_every == 0 else None
    if penalty is None:
        return PhaseLoss(loss, terms)
    mean = penalty.mean()
    return PhaseLoss(loss + game.penalty_every * mean, {**terms, "penalty": mean.detach()})


def generator_loss(game: AdversarialGame, critic: Critic, fake_logits: Tensor, real: Tensor) -> Tensor:
    """The mean over B, and sum over K, of a generator's losses; `real` (B, *X) is read by paired games.

    `fake_logits` are (K·B,): K weighs as much here as in the discriminator's loss.
    """
    if not game.needs_real:
        return sum_over_samples(game.generator_loss(fake_logits), len(real)).mean()
    with torch.no_grad():  # the critic is not trained here, and real data do not depend on G
        real_logits = critic(real)
    return sum_over_samples(game.generator_loss(fake_logits, real_logits), len(real)).mean()
