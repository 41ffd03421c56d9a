"""Whether players fit together: a trial pass of two data, before any real data are read."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dalikit.errors import DalikitError, UnfitError
from dalikit.interfaces import Discriminator, Encoder, Generator, Posterior, Shape

TRIAL = 2
"""The batch of a trial pass."""


def check_generator(generator: Generator, x_shape: Shape) -> None:
    """Raise `UnfitError` unless z (B, Z) becomes x (B, *X)."""
    x = _trial("generator", generator, generator, (generator.latent_size,))
    _expect("generator", generator, x, x_shape)


def check_discriminator(discriminator: Discriminator, x_shape: Shape) -> None:
    """Raise `UnfitError` unless x (B, *X) becomes features of the stated shape, and those logits (B,)."""
    h = _trial("discriminator", discriminator, discriminator.features, x_shape)
    _expect("discriminator", discriminator, h, discriminator.feature_shape)
    logits = _trial("discriminator", discriminator, discriminator.head, discriminator.feature_shape)
    _expect("discriminator", discriminator, logits, ())


def check_encoder(encoder: Encoder, posterior: Posterior, in_shape: Shape, latent_size: int) -> None:
    """Raise `UnfitError` unless the heads have the posterior's sizes, and it is one over z (B, Z)."""
    raw = _trial("encoder", encoder, encoder, in_shape)
    heads = posterior.heads()
    if not isinstance(raw, tuple) or len(raw) != len(heads):
        raise UnfitError(f"{_who('encoder', encoder)} must give {len(heads)} heads, as a tuple")
    for tensor, size in zip(raw, heads, strict=True):
        _expect("encoder", encoder, tensor, (size,))
    distribution = posterior(*raw)
    if tuple(distribution.event_shape) != (latent_size,) or tuple(distribution.batch_shape) != (TRIAL,):
        raise UnfitError(
            f"{_who('posterior', posterior)} has batch shape {tuple(distribution.batch_shape)} and event "
            f"shape {tuple(distribution.event_shape)}; ({TRIAL},) and ({latent_size},) are needed"
        )


def _trial(role: str, player: nn.Module, call: Callable[[Tensor], Tensor], shape: Shape) -> Tensor:
    training = player.training
    player.eval()
    try:
        with torch.no_grad():
            return call(torch.zeros(TRIAL, *shape))
    except DalikitError:
        raise
    except Exception as error:  # whatever a player does with data of this shape, it does not fit
        message = f"{_who(role, player)} cannot take data of shape {shape}: {error}"
        raise UnfitError(" ".join(message.split())) from error
    finally:
        player.train(training)


def _expect(role: str, player: nn.Module, tensor: Tensor, shape: Shape) -> None:
    if tuple(tensor.shape) != (TRIAL, *shape):
        raise UnfitError(
            f"{_who(role, player)} gives shape {tuple(tensor.shape)[1:]} a datum, {shape} is needed"
        )


def _who(role: str, player: nn.Module) -> str:
    return f"{role} '{getattr(player, 'name', type(player).__name__)}'"
