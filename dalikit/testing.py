"""The contract as checks that the author of a component runs on it.

    from dalikit import testing
    testing.check_game(MyGame())

Each check raises an `AssertionError` that says what the contract wants.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dalikit.errors import UnfitError
from dalikit.interfaces import (
    AdversarialGame,
    Callback,
    Dataset,
    Discriminator,
    Encoder,
    Generator,
    Method,
    Metric,
    Phase,
    Posterior,
    Range,
    Score,
    Shape,
)
from dalikit.randomness import RandomState
from dalikit.training import Trainer

Built = TypeVar("Built")

B, Z = 6, 5
SHAPES: tuple[tuple[Shape, Range | None], ...] = (
    ((2,), None),
    ((1, 8, 8), (-1.0, 1.0)),
    ((3, 28, 28), (-1.0, 1.0)),
    ((4, 13, 13), (0.0, 1.0)),
)
"""The data that networks are tried on; one that takes none of them fails."""


def check_game(game: AdversarialGame) -> None:
    """Losses are per sample, every logit gets a gradient, penalties reach the critic, K fakes are summed."""
    real, fake = _leaf(B), _leaf(B)
    d_loss = game.discriminator_loss(real, fake)
    _shape("discriminator_loss", d_loss, (B,))
    _reaches("discriminator_loss", d_loss, real=real, fake=fake)
    g_loss = game.generator_loss(fake, real if game.needs_real else None)
    _shape("generator_loss", g_loss, (B,))
    _reaches("generator_loss", g_loss, fake=fake)
    joint = game.joint(real, fake)
    _shape("joint", joint, (B,))
    _reaches("joint", joint, real=real, fake=fake)
    _check_penalty(game)
    _check_several(game)
    assert game.discriminator_steps >= 1, "discriminator_steps is at least 1"
    assert game.penalty_every >= 1, "penalty_every is at least 1"


def check_posterior(family: Callable[[int], Posterior]) -> None:
    """A distribution over z from heads of the stated sizes, each of which the density depends on."""
    for size in (1, Z):
        posterior = family(size)
        heads = tuple(_leaf(B, n) for n in posterior.heads())
        distribution = posterior(*heads)
        assert distribution.batch_shape == (B,), f"batch shape is (B,), not {distribution.batch_shape}"
        assert distribution.event_shape == (size,), f"event shape is (Z,), not {distribution.event_shape}"
        _shape("code", posterior.code(distribution), (B, size))
        log_prob = distribution.log_prob(torch.randn(B, size))
        _shape("log_prob", log_prob, (B,))
        _reaches("log_prob", log_prob, **{f"head {i}": head for i, head in enumerate(heads)})
        check_saving(lambda size=size: family(size))  # type: ignore[misc]


def check_generator(family: Callable[[int, Shape, Range | None], Generator]) -> None:
    """z (B, Z) becomes x (B, *X) within the value range, by all its parameters."""

    def check(shape: Shape, value_range: Range | None) -> None:
        generator = _seeded(lambda: family(Z, shape, value_range))
        assert generator.latent_size == Z, "latent_size is the Z it was built with"
        x = generator(torch.randn(B, Z))
        _shape("forward", x, (B, *shape))
        if value_range is not None:
            low, high = value_range
            inside = bool((x >= low).all() and (x <= high).all())
            assert inside, f"data stay within {value_range}"
        _uses_all(generator, x)
        check_saving(lambda: family(Z, shape, value_range))

    _on_some_shape(check)


def check_discriminator(family: Callable[[Shape], Discriminator]) -> None:
    """`features` has the stated shape, `forward` is `head` of it, logits are (B,) with no bound."""

    def check(shape: Shape, _: Range | None) -> None:
        discriminator = _seeded(lambda: family(shape)).eval()
        x = torch.randn(B, *shape)
        h = discriminator.features(x)
        _shape("features", h, (B, *discriminator.feature_shape))
        logits = discriminator.head(h)
        _shape("head", logits, (B,))
        assert torch.equal(discriminator(x), logits), "forward is the head of the features"
        _uses_all(discriminator, logits)
        check_saving(lambda: family(shape))

    _on_some_shape(check)


def check_encoder(family: Callable[[Shape, tuple[int, ...]], Encoder]) -> None:
    """One tensor (B, size) a head, from features of several shapes."""

    def check(shape: Shape, _: Range | None) -> None:
        for sizes in ((Z,), (Z, 3)):
            encoder = _seeded(lambda sizes=sizes: family(shape, sizes))  # type: ignore[misc]
            heads = encoder(torch.randn(B, *shape))
            assert isinstance(heads, tuple), "forward gives a tuple, one tensor a head"
            assert len(heads) == len(sizes), f"{len(sizes)} heads are wanted, not {len(heads)}"
            for head, size in zip(heads, sizes, strict=True):
                _shape("forward", head, (B, size))
            _uses_all(encoder, torch.cat(heads, 1))
        check_saving(lambda: family(shape, (Z, 3)))

    _on_some_shape(check)


def check_method(build: Callable[[], Method], dataset: Dataset) -> None:
    """Each phase moves the roles it trains and no others; a run repeats; it generates and infers."""
    for i, phase in enumerate(build().phases()):
        _check_phase(build(), i, phase, dataset)
    first, second = (_trained(_seeded(build), dataset) for _ in range(2))
    same = all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert same, "two runs under one seed end with the same parameters"
    first.eval()
    x = first.generate(first.prior(B))
    _shape("generate", x, (B, *dataset.x_shape))
    if first.infers:
        size = first.prior(1).shape[1]
        assert first.posterior(x).event_shape == (size,), "the posterior is over z (B, Z)"
        _shape("code", first.code(x), (B, size))
    else:
        try:
            first.posterior(x)
        except UnfitError:
            pass
        else:
            raise AssertionError("a method with a posterior says infers = True")
    check_saving(build)


def check_dataset(dataset: Dataset) -> None:
    """All parts give data of the stated shape and range, the same for the same random state."""
    assert dataset.preparation, "preparation says where the data come from"
    for part in ("train", "validation", "test"):
        split = dataset.split(part)
        assert len(split) > 0, f"the {part} part has data"
        index = torch.arange(min(B, len(split)))
        draws = [split.take(index, torch.Generator().manual_seed(1)) for _ in range(2)]
        assert torch.equal(*draws), "what is random in data is drawn from the generator given, alone"
        x = dataset.scale(draws[0])
        _shape(part, x, (len(index), *dataset.x_shape))
        assert x.is_floating_point(), "scale gives floats"
        if dataset.value_range is not None:
            low, high = dataset.value_range
            assert bool((x >= low).all() and (x <= high).all()), f"data stay within {dataset.value_range}"


def check_metric(build: Callable[[], Metric], method: Method) -> None:
    """What it feeds on it can take in, and its score has finite values and a protocol; it repeats."""
    from dalikit.evaluation.scoring import score

    scores = [score(build(), method) for _ in range(2)]
    assert isinstance(scores[0], Score), "compute gives a Score"
    assert scores[0] == scores[1], "the same method gets the same score"
    assert scores[0].metric == build().name, "a score bears its metric's name"
    assert scores[0].protocol, "a score without its protocol means nothing"
    values = [float(value) for value in scores[0].values.values()]
    assert values, "a score has values"
    assert all(torch.isfinite(torch.tensor(values))), "values are finite"


def check_callback(callback: Callback, build: Callable[[], Method], dataset: Dataset) -> None:
    """It lives through a training, and does not change what is learned."""
    with_it, without = (_trained(_seeded(build), dataset, watchers, 3) for watchers in ([callback], []))
    pairs = zip(with_it.parameters(), without.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs), "a callback changes nothing of what is learned"


def check_saving(build: Callable[[], nn.Module]) -> None:
    """Construction repeats under a seed, and a state dict goes through safetensors and back."""
    one, same, other = _seeded(build), _seeded(build), _seeded(build, seed=1)
    for a, b in zip(one.state_dict().values(), same.state_dict().values(), strict=True):
        assert torch.equal(a, b), "construction under a seed repeats"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_file({name: t.contiguous() for name, t in one.state_dict().items()}, path)
        other.load_state_dict(load_file(path))
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b), "a state dict can be saved and loaded"


def _check_penalty(game: AdversarialGame) -> None:
    weight = _leaf(2, 1)
    penalty = game.penalty(lambda x: torch.tanh(x @ weight).squeeze(1), torch.randn(B, 2), torch.randn(B, 2))
    if penalty is not None:
        _shape("penalty", penalty, (B,))
        _reaches("penalty", penalty, critic=weight)


def _check_several(game: AdversarialGame) -> None:
    real, fake = torch.randn(B), torch.randn(B)
    try:
        one, two, three = (game.discriminator_loss(real, fake.repeat(k)) for k in (1, 2, 3))
    except UnfitError:
        return
    _shape("discriminator_loss of 2B fakes", two, (B,))
    _shape("generator_loss of 2B fakes", game.generator_loss(fake.repeat(2)), (2 * B,))
    penalty = game.penalty(lambda x: torch.tanh(x).sum(1), torch.randn(B, 2), torch.randn(2 * B, 2))
    if penalty is not None:
        _shape("penalty at 2B fakes", penalty, (B,))
    torch.testing.assert_close(three - two, two - one, msg="several fakes for one real are summed")


def _check_phase(method: Method, position: int, phase: Phase, dataset: Dataset) -> None:
    before = {role: _copies(method.player(role)) for role, _ in method.named_children()}
    trainer = Trainer(method, dataset, steps=1, batch_size=B, lr=1e-2)
    trainer.phases = (trainer.phases[position],)
    trainer.fit()
    for role, old in before.items():
        new = list(method.player(role).parameters())
        moved = any(not torch.equal(a, b) for a, b in zip(old, new, strict=True))
        if role not in phase.trains:
            assert not moved, f"phase '{phase.name}' does not train {role}, yet its parameters changed"
        elif new:
            assert moved, f"phase '{phase.name}' trains {role}, yet none of its parameters changed"


def _trained(method: Method, dataset: Dataset, callbacks: Sequence[Callback] = (), steps: int = 2) -> Method:
    Trainer(method, dataset, callbacks, 0, steps=steps, batch_size=B, lr=1e-2).fit()
    return method


def _on_some_shape(check: Callable[[Shape, Range | None], None]) -> None:
    refusals = []
    for shape, value_range in SHAPES:
        try:
            check(shape, value_range)
        except UnfitError as error:
            refusals.append(str(error))
    assert len(refusals) < len(SHAPES), f"no shape of data was accepted: {refusals}"


def _seeded(build: Callable[[], Built], seed: int = 0) -> Built:
    with RandomState.seeded(seed).swapped_in():
        return build()


def _leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)), requires_grad=True)


def _copies(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def _shape(what: str, tensor: Tensor, shape: Shape) -> None:
    assert tuple(tensor.shape) == shape, f"{what} has shape {shape}, not {tuple(tensor.shape)}"


def _reaches(what: str, loss: Tensor, **inputs: Tensor) -> None:
    gradients = torch.autograd.grad(loss.sum(), list(inputs.values()), allow_unused=True, retain_graph=True)
    for name, gradient in zip(inputs, gradients, strict=True):
        assert gradient is not None, f"{what} depends on {name}"
        assert bool(gradient.isfinite().all() and gradient.abs().sum() > 0), f"{what} has a slope in {name}"


def _uses_all(module: nn.Module, output: Tensor) -> None:
    names, parameters = zip(*module.named_parameters(), strict=True)
    gradients = torch.autograd.grad(output.square().sum(), parameters, allow_unused=True)
    unused = [name for name, gradient in zip(names, gradients, strict=True) if gradient is None]
    assert not unused, f"its output depends on all its parameters, but not on {unused}"
