"""The contract of games, as a check."""

import torch

from dalikit.errors import UnfitError
from dalikit.interfaces import AdversarialGame
from dalikit.testing.assertions import B, check_reaches, check_shape, leaf


def check_game(game: AdversarialGame) -> None:
    """Losses are per sample, every logit gets a gradient, penalties reach the critic, K fakes are summed."""
    real, fake = leaf(B), leaf(B)
    d_loss = game.discriminator_loss(real, fake)
    check_shape("discriminator_loss", d_loss, (B,))
    check_reaches("discriminator_loss", d_loss, real=real, fake=fake)
    g_loss = game.generator_loss(fake, real if game.needs_real else None)
    check_shape("generator_loss", g_loss, (B,))
    check_reaches("generator_loss", g_loss, fake=fake)
    joint = game.joint(real, fake)
    check_shape("joint", joint, (B,))
    check_reaches("joint", joint, real=real, fake=fake)
    _check_penalty(game)
    _check_several(game)
    for name in ("discriminator_steps", "penalty_every"):
        value = getattr(game, name)
        assert value >= 1, f"{name} is {value}; it should be 1 or more"


def _check_penalty(game: AdversarialGame) -> None:
    weight = leaf(2, 1)
    if game.penalised:
        x, fake = torch.randn(B, 2), torch.randn(B, 2)
        penalty = game.penalty(lambda x: torch.tanh(x @ weight).squeeze(1), x, fake)
        check_shape("penalty", penalty, (B,))
        check_reaches("penalty", penalty, critic=weight)


def _check_several(game: AdversarialGame) -> None:
    real, fake = torch.randn(B), torch.randn(B)
    try:
        one, two, three = (game.discriminator_loss(real, fake.repeat(k)) for k in (1, 2, 3))
    except UnfitError:
        return
    check_shape("discriminator_loss of 2B fakes", two, (B,))
    check_shape("generator_loss of 2B fakes", game.generator_loss(fake.repeat(2)), (2 * B,))
    if game.penalised:
        penalty = game.penalty(lambda x: torch.tanh(x).sum(1), torch.randn(B, 2), torch.randn(2 * B, 2))
        check_shape("penalty at 2B fakes", penalty, (B,))
    torch.testing.assert_close(
        three - two,
        two - one,
        msg="discriminator_loss does not grow by as much with the third fake for one real as with the "
        "second; several should be summed (`sum_over_samples`), or refused by an UnfitError",
    )
