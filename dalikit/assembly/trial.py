"""Whether players keep their promises: a trial pass of two data, before any real data are read.

| kind | a trial of it |
|---|---|
| generator | codes become data of the stated shape, within the range, as many as there were codes |
| discriminator | data become features of the stated shape, and those logits |
| encoder | features become one tensor a head, in a tuple |
| posterior | heads become a distribution over codes, and that a code |
| augmentation | data keep their shape |
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from dalikit.errors import DalikitError, UnfitError
from dalikit.interfaces import (
    Augmentation,
    DataSpec,
    Discriminator,
    Encoder,
    Generator,
    Posterior,
    Shape,
    describe,
)

TRIAL = 2
"""The batch of a trial pass."""


def try_player(player: Any, supplied: dict[str, Any]) -> None:
    """Raise `UnfitError` unless a player of a kind that has a trial passes it, given what was `supplied`."""
    with torch.random.fork_rng(devices=[]):  # what a trial draws must not change the weights made after it
        _try(player, supplied)


def _try(player: Any, supplied: dict[str, Any]) -> None:
    if isinstance(player, Generator):
        _try_generator(player, supplied["latent_size"], supplied["spec"])
    elif isinstance(player, Discriminator):
        _try_discriminator(player, supplied["spec"].x_shape)
    elif isinstance(player, Encoder):
        _try_encoder(player, supplied["in_shape"], supplied["head_sizes"])
    elif isinstance(player, Augmentation):
        shape = supplied["spec"].x_shape
        _expect(player, _pass(player, player, torch.zeros(TRIAL, *shape)), shape)


def try_posterior(family: Posterior, latent_size: int) -> None:
    """Raise `UnfitError` unless its distributions are over z (B, Z), and have a code."""
    distribution = _run(family, lambda: family(*[torch.zeros(TRIAL, size) for size in family.heads()]))
    batch, event = tuple(distribution.batch_shape), tuple(distribution.event_shape)
    if (batch, event) != ((TRIAL,), (latent_size,)):
        raise UnfitError(
            f"{describe(family)} has batch shape {batch} and event shape {event}; ({TRIAL},) and "
            f"({latent_size},) are needed"
        )
    _expect(family, _run(family, lambda: _code(family, distribution)), (latent_size,))


def _code(family: Posterior, distribution: Distribution) -> Tensor:
    try:
        return family.code(distribution)
    except NotImplementedError:
        raise UnfitError(
            f"{describe(family)} gives no code: its distributions have no mean, and it has no `code` "
            "of its own"
        ) from None


def _try_generator(generator: Generator, latent_size: int, spec: DataSpec) -> None:
    z = torch.randn(TRIAL, latent_size, generator=torch.Generator().manual_seed(0))
    x = _pass(generator, generator, z)
    _expect(generator, x, spec.x_shape)
    if spec.value_range is None:
        return
    low, high = spec.value_range
    if x.min() < low - 1e-3 or x.max() > high + 1e-3:
        raise UnfitError(
            f"{describe(generator)} gives values from {x.min():.3g} to {x.max():.3g}, outside the data's "
            f"value_range [{low:g}, {high:g}]"
        )


def _try_discriminator(discriminator: Discriminator, x_shape: Shape) -> None:
    h = _pass(discriminator, discriminator.trunk, torch.zeros(TRIAL, *x_shape))
    _expect(discriminator, h, discriminator.feature_shape)
    _expect(discriminator, _pass(discriminator, discriminator.head, h), ())


def _try_encoder(encoder: Encoder, in_shape: Shape, head_sizes: tuple[int, ...]) -> None:
    raw: Any = _pass(encoder, encoder, torch.zeros(TRIAL, *in_shape))
    if not isinstance(raw, tuple) or len(raw) != len(head_sizes):
        raise UnfitError(f"{describe(encoder)} must give {len(head_sizes)} heads, as a tuple")
    for tensor, size in zip(raw, head_sizes, strict=True):
        _expect(encoder, tensor, (size,))


def _pass(player: nn.Module, call: nn.Module, x: Tensor) -> Tensor:
    modes = {module: module.training for module in player.modules()}
    player.eval()
    try:
        with torch.no_grad():
            return _run(player, lambda: call(x), f" take data of shape {tuple(x.shape[1:])}")
    finally:
        for module, training in modes.items():
            module.training = training


def _run(player: nn.Module, call: Callable[[], Any], what: str = " be used") -> Any:
    try:
        return call()
    except DalikitError:
        raise
    except Exception as error:  # whatever a player does with such data, it does not fit
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UnfitError(f"{describe(player)} cannot{what}: {reason}") from error


def _expect(player: object, tensor: Tensor, shape: Shape) -> None:
    if tuple(tensor.shape) != (TRIAL, *shape):
        raise UnfitError(
            f"{describe(player)} gives shape {tuple(tensor.shape)} for {TRIAL} data; {(TRIAL, *shape)} is "
            "needed"
        )
