"""A game played on a critic: the losses and phases that most methods are made of."""

from collections.abc import Callable

from torch import Tensor, nn

from dalikit.functional.several import sum_over_samples
from dalikit.interfaces import AdversarialGame, Critic, Iteration, Phase, PhaseLoss


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


def generator_loss(
    game: AdversarialGame, critic: Critic, fake_logits: Tensor, real: Callable[[], Tensor], samples: int = 1
) -> Tensor:
    """The mean over B, and sum over K, of a generator's losses, from logits (K·B,), K being `samples`.

    K weighs as much here as in the discriminator's loss. `real` makes the real data (B, *X), and is called
    for games alone that pair each generated datum with a real one. Its logits keep their graph: the critic of
    an unrolled GAN depends on G, and whoever is not trained in the phase gets no gradient anyway.
    """
    batch = len(fake_logits) // samples
    if not game.needs_real:
        return sum_over_samples(game.generator_loss(fake_logits), batch).mean()
    return sum_over_samples(game.generator_loss(fake_logits, critic(real())), batch).mean()


def discriminator_phase(
    game: AdversarialGame,
    critic: nn.Module,
    loss: Callable[[Iteration], PhaseLoss],
    role: str = "discriminator",
) -> Phase:
    """The phase that trains the critic of `role`, as many steps as the game asks for; each is projected."""
    return Phase(role, (role,), loss, repeats=game.discriminator_steps, after=lambda: game.project(critic))
