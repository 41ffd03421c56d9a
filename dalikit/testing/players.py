"""The contract of the players, as checks: networks, posteriors, augmentations."""

from collections.abc import Callable

import torch

from dalikit.interfaces import Augmentation, DataSpec, Discriminator, Encoder, Generator, Posterior, Shape
from dalikit.testing.assertions import (
    B,
    Z,
    build_seeded,
    check_reaches,
    check_saving,
    check_shape,
    check_uses_all,
    check_within,
    leaf,
    on_some_data,
)


def check_posterior(family: Callable[[int], Posterior]) -> None:
    """A distribution over z from heads of the stated sizes, each of which the density depends on."""
    for size in (1, Z):
        posterior = family(size)
        heads = tuple(leaf(B, n) for n in posterior.heads())
        distribution = posterior(*heads)
        batch, event = tuple(distribution.batch_shape), tuple(distribution.event_shape)
        assert batch == (B,), f"its distribution's batch shape is {batch}; it should be (B,), here ({B},)"
        assert event == (size,), (
            f"its distribution's event shape is {event}; it should be (Z,), here ({size},): see Independent"
        )
        check_shape("code", posterior.code(distribution), (B, size))
        log_prob = distribution.log_prob(torch.randn(B, size))
        check_shape("log_prob", log_prob, (B,))
        check_reaches("log_prob", log_prob, **{f"head {i}": head for i, head in enumerate(heads)})
        check_saving(lambda size=size: family(size))  # type: ignore[misc]


def check_generator(family: Callable[[int, DataSpec], Generator]) -> None:
    """z (B, Z) becomes x (B, *X) within the value range, by all its parameters."""

    def check(spec: DataSpec) -> None:
        generator = build_seeded(lambda: family(Z, spec))
        assert generator.latent_size == Z, (
            f"its latent_size is {generator.latent_size}; it should be the Z it was built with, {Z}"
        )
        assert generator.spec == spec, (
            f"its spec is {generator.spec}; it should be what it was built with, {spec}"
        )
        x = generator(torch.randn(B, Z))
        check_shape("forward", x, (B, *spec.x_shape))
        check_within(x, spec)
        check_uses_all(generator, x)
        check_saving(lambda: family(Z, spec))

    on_some_data(check)


def check_discriminator(family: Callable[[DataSpec], Discriminator]) -> None:
    """The trunk's features have the stated shape, `forward` is the head of them, logits are (B,)."""

    def check(spec: DataSpec) -> None:
        discriminator = build_seeded(lambda: family(spec)).eval()
        x = torch.randn(B, *spec.x_shape)
        h = discriminator.trunk(x)
        check_shape("trunk", h, (B, *discriminator.feature_shape))
        logits = discriminator.head(h)
        check_shape("head", logits, (B,))
        assert torch.equal(discriminator(x), logits), (
            "forward gives other logits than head(trunk(x)); it should be the head of the trunk's features"
        )
        check_uses_all(discriminator, logits)
        own = {*discriminator.trunk.parameters(), *discriminator.head.parameters()}
        apart = [n for n, parameter in discriminator.named_parameters() if parameter not in own]
        assert not apart, (
            f"{', '.join(apart)} is neither the trunk's nor the head's; all its parameters should be one's, "
            "for a role may be given the trunk alone"
        )
        check_saving(lambda: family(spec))

    on_some_data(check)


def check_encoder(family: Callable[[Shape, tuple[int, ...]], Encoder]) -> None:
    """One tensor (B, size) a head, from features of several shapes."""

    def check(spec: DataSpec) -> None:
        shape = spec.x_shape
        for sizes in ((Z,), (Z, 3)):
            encoder = build_seeded(lambda sizes=sizes: family(shape, sizes))  # type: ignore[misc]
            heads = encoder(torch.randn(B, *shape))
            assert isinstance(heads, tuple), (
                f"forward gives a {type(heads).__name__}; it should be a tuple, one tensor a head"
            )
            assert len(heads) == len(sizes), f"forward gives {len(heads)} heads; there should be {len(sizes)}"
            for head, size in zip(heads, sizes, strict=True):
                check_shape("forward", head, (B, size))
            check_uses_all(encoder, torch.cat(heads, 1))
        check_saving(lambda: family(shape, (Z, 3)))

    on_some_data(check)


def check_augmentation(family: Callable[[DataSpec], Augmentation]) -> None:
    """Data keep their shape, depend on themselves alone, have a slope, and repeat under a seed."""

    def check(spec: DataSpec) -> None:
        augmentation = build_seeded(lambda: family(spec))
        x = torch.rand(B, *spec.x_shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
        once, again = (build_seeded(lambda: augmentation(x)) for _ in range(2))
        check_shape("forward", once, (B, *spec.x_shape))
        assert torch.equal(once, again), (
            "two calls under one seed differ; what is random should be drawn from torch's generator"
        )
        check_reaches("forward", once.square(), x=x)
        (slope,) = torch.autograd.grad(once[0].square().sum(), x)
        assert not bool(slope[1:].any()), (
            "a datum depends on the others of its batch; each should be augmented on its own"
        )
        if not augmentation.changes:
            assert torch.equal(once, x), "it changes data and says changes = False; it should say True"
        augmentation.observe(torch.randn(B))
        learned = [name for name, _ in augmentation.named_parameters()]
        assert not learned, (
            f"it has parameters ({', '.join(learned)}), and nobody trains it; its state should lie in buffers"
        )
        check_saving(lambda: family(spec))

    on_some_data(check)
