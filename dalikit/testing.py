"""The contract as checks that the author of a component runs on it.

    from dalikit import testing
    testing.check_game(MyGame())

Each check raises an `AssertionError` that says what the contract wants.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dalikit.assembly.parameters import parameter_model
from dalikit.errors import UnfitError
from dalikit.evaluation.scoring import Maker, score
from dalikit.interfaces import (
    AdversarialGame,
    Augmentation,
    Backbone,
    Batch,
    Callback,
    Dataset,
    DataSpec,
    Derived,
    Discriminator,
    Encoder,
    Generator,
    Iteration,
    Method,
    Optimizer,
    Pace,
    Phase,
    Posterior,
    Role,
    Rules,
    Score,
    Shape,
    Situation,
)
from dalikit.randomness import RandomState
from dalikit.training import Optimization, Trainer
from dalikit.training.optimization import RoleOptimizer

Built = TypeVar("Built")

B, Z = 6, 5
SPECS = (
    DataSpec((2,)),
    DataSpec((1, 8, 8), (-1.0, 1.0)),
    DataSpec((3, 28, 28), (-1.0, 1.0)),
    DataSpec((4, 13, 13), (0.0, 1.0)),
)
"""The data that networks and augmentations are tried on; one that takes none of them fails."""


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


def check_generator(family: Callable[[int, DataSpec], Generator]) -> None:
    """z (B, Z) becomes x (B, *X) within the value range, by all its parameters."""

    def check(spec: DataSpec) -> None:
        generator = _build_seeded(lambda: family(Z, spec))
        assert generator.latent_size == Z, "latent_size is the Z it was built with"
        assert generator.spec == spec, "spec is what it was built with"
        x = generator(torch.randn(B, Z))
        _shape("forward", x, (B, *spec.x_shape))
        _within(x, spec)
        _uses_all(generator, x)
        check_saving(lambda: family(Z, spec))

    _on_some_data(check)


def check_discriminator(family: Callable[[DataSpec], Discriminator]) -> None:
    """The trunk's features have the stated shape, `forward` is the head of them, logits are (B,)."""

    def check(spec: DataSpec) -> None:
        discriminator = _build_seeded(lambda: family(spec)).eval()
        x = torch.randn(B, *spec.x_shape)
        h = discriminator.trunk(x)
        _shape("trunk", h, (B, *discriminator.feature_shape))
        logits = discriminator.head(h)
        _shape("head", logits, (B,))
        assert torch.equal(discriminator(x), logits), "forward is the head of the trunk's features"
        _uses_all(discriminator, logits)
        own = {*discriminator.trunk.parameters(), *discriminator.head.parameters()}
        assert own == set(discriminator.parameters()), "its parameters are the trunk's and the head's"
        check_saving(lambda: family(spec))

    _on_some_data(check)


def check_encoder(family: Callable[[Shape, tuple[int, ...]], Encoder]) -> None:
    """One tensor (B, size) a head, from features of several shapes."""

    def check(spec: DataSpec) -> None:
        shape = spec.x_shape
        for sizes in ((Z,), (Z, 3)):
            encoder = _build_seeded(lambda sizes=sizes: family(shape, sizes))  # type: ignore[misc]
            heads = encoder(torch.randn(B, *shape))
            assert isinstance(heads, tuple), "forward gives a tuple, one tensor a head"
            assert len(heads) == len(sizes), f"{len(sizes)} heads are wanted, not {len(heads)}"
            for head, size in zip(heads, sizes, strict=True):
                _shape("forward", head, (B, size))
            _uses_all(encoder, torch.cat(heads, 1))
        check_saving(lambda: family(shape, (Z, 3)))

    _on_some_data(check)


def check_augmentation(family: Callable[[DataSpec], Augmentation]) -> None:
    """Data keep their shape, depend on themselves alone, have a slope, and repeat under a seed."""

    def check(spec: DataSpec) -> None:
        augmentation = _build_seeded(lambda: family(spec))
        x = torch.rand(B, *spec.x_shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
        once, again = (_build_seeded(lambda: augmentation(x)) for _ in range(2))
        _shape("forward", once, (B, *spec.x_shape))
        assert torch.equal(once, again), "what is random in it is drawn from torch's generator"
        _reaches("forward", once.square(), x=x)
        (slope,) = torch.autograd.grad(once[0].square().sum(), x)
        assert not bool(slope[1:].any()), "each datum is augmented on its own"
        if not augmentation.changes:
            assert torch.equal(once, x), "one that says changes = False changes nothing"
        augmentation.observe(torch.randn(B))
        assert not list(augmentation.parameters()), "its state lies in buffers: nobody trains it"
        check_saving(lambda: family(spec))

    _on_some_data(check)


def check_optimizer(optimizer: Optimizer) -> None:
    """It lowers a loss at the rate it is given, follows that rate in place, and resumes from its state."""
    points = [nn.Parameter(torch.full((3,), 2.0)) for _ in range(2)]
    settings = Optimization(lr=0.05)
    steppers = [RoleOptimizer(nn.ParameterList([point]), settings, optimizer) for point in points]

    def step(place: int) -> None:
        point = points[place]
        point.grad = 2 * point.detach()
        steppers[place].step()

    for _ in range(3):
        step(0)
    assert float(points[0].detach().abs().max()) < 2.0, "a step goes down the gradient"
    with torch.no_grad():
        points[1].copy_(points[0])
    steppers[1].load({name: tensor.clone() for name, tensor in steppers[0].state().items()})
    for place in (0, 1):
        step(place)
    assert torch.equal(*points), "it goes on from a state that was saved"
    steppers[0].set_rate(0.0)
    before = points[0].detach().clone()
    step(0)
    assert torch.equal(points[0], before), "it reads its rate from the tensor it is given, in every step"


def check_method(build: Callable[[], Method], dataset: Dataset) -> None:
    """Each phase moves the roles it trains and no others; a run repeats; it generates and infers."""
    for i, phase in enumerate(build().phases()):
        _check_phase(build(), i, phase, dataset)
    first, second = (_train(_build_seeded(build), dataset) for _ in range(2))
    same = all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert same, "two runs under one seed end with the same parameters"
    first.eval()
    y = first.draw_labels(B)
    x = first.generate(first.prior(B), y)
    _shape("generate", x, (B, *dataset.spec.x_shape))
    if first.infers:
        size = first.prior(1).shape[1]
        assert first.posterior(x, y).event_shape == (size,), "the posterior is over z (B, Z)"
        _shape("code", first.code(x, y), (B, size))
    else:
        try:
            first.posterior(x, y)
        except UnfitError:
            pass
        else:
            raise AssertionError("a method with a posterior says infers = True")
    _check_verdict(first, dataset)
    check_saving(build)


def check_dataset(dataset: Dataset) -> None:
    """All parts give data of the stated shape and range, the same for the same random state."""
    assert dataset.preparation, "preparation says where the data come from"
    _check_told(dataset)
    for part in ("train", "validation", "test"):
        split = dataset.split(part)
        assert len(split) > 0, f"the {part} part has data"
        index = torch.arange(min(B, len(split)))
        first, again = (split.take(index, torch.Generator().manual_seed(1)) for _ in range(2))
        assert torch.equal(first.x, again.x), (
            "what is random in data is drawn from the generator given, alone"
        )
        x = dataset.scale(first.x)
        _shape(part, x, (len(index), *dataset.spec.x_shape))
        assert x.is_floating_point(), "scale gives floats"
        _within(x, dataset.spec)
        if dataset.spec.classes is not None:
            _check_labels(first.y, len(index), len(dataset.spec.classes))


def _check_told(dataset: Dataset) -> None:
    """What it says of itself fits its constructor, its shape and a terminal."""
    lines = dataset.introduction()
    assert 1 <= len(lines) <= 2, "an introduction is a line or two"
    assert not any("\n" in line for line in lines), "an introduction is a line or two"
    shape, fitting, scaled = tuple(dataset.spec.x_shape), dataset.fitting, dataset.standardization
    assert fitting is None or (fitting.channels, fitting.height, fitting.width) == shape, "fitting makes x"
    assert scaled is None or all((len(numbers),) == shape for numbers in scaled), "a number for each column"
    own = {*dataset.settled, *(["path"] if dataset.suffixes else [])}
    assert not own or own <= {*parameter_model(type(dataset)).model_fields}, "settled are its own parameters"


def check_metric(build: Maker, method: Method) -> None:
    """What it feeds on it can take in, and its score has finite values and a protocol; it repeats."""
    scores = [score(build, method) for _ in range(2)]
    assert isinstance(scores[0], Score), "compute gives a Score"
    assert scores[0] == scores[1], "the same method gets the same score"
    assert scores[0].metric == build("test").name, "a score bears its metric's name"
    assert scores[0].protocol, "a score without its protocol means nothing"
    values = [float(value) for value in scores[0].values.values()]
    assert values, "a score has values"
    assert all(torch.isfinite(torch.tensor(values))), "values are finite"
    for field, better in build("test").headline:
        assert field in scores[0].values, f"its headline is of its values, which '{field}' is not"
        assert better in ("lower", "higher"), "a headline says which is better, lower or higher"


def check_callback(callback: Callback, build: Callable[[], Method], dataset: Dataset) -> None:
    """It lives through a training, changes nothing of what is learned, and goes on from its own state."""
    with_it, without = (_train(_build_seeded(build), dataset, watchers, 3) for watchers in ([callback], []))
    pairs = zip(with_it.parameters(), without.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs), "a callback changes nothing of what is learned"
    state = json.loads(json.dumps(callback.state()))
    callback.load_state(state)
    assert callback.state() == state, "a state that JSON has had is loaded as it was"


def check_saving(build: Callable[[], nn.Module]) -> None:
    """Construction repeats under a seed, and a state dict goes through safetensors and back."""
    one, same, other = _build_seeded(build), _build_seeded(build), _build_seeded(build, seed=1)
    for a, b in zip(one.state_dict().values(), same.state_dict().values(), strict=True):
        assert torch.equal(a, b), "construction under a seed repeats"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_file({name: t.contiguous() for name, t in one.state_dict().items()}, path)
        other.load_state_dict(load_file(path))
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b), "a state dict can be saved and loaded"


def _check_labels(y: Tensor | None, n: int, classes: int) -> None:
    assert y is not None, "data with classes have labels"
    _shape("labels", y, (n,))
    assert y.dtype == torch.int64, f"labels are int64, not {y.dtype}"
    assert bool((y >= 0).all() and (y < classes).all()), f"labels index the {classes} classes"


def _check_penalty(game: AdversarialGame) -> None:
    weight = _leaf(2, 1)
    if game.penalised:
        x, fake = torch.randn(B, 2), torch.randn(B, 2)
        penalty = game.penalty(lambda x: torch.tanh(x @ weight).squeeze(1), x, fake)
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
    if game.penalised:
        penalty = game.penalty(lambda x: torch.tanh(x).sum(1), torch.randn(B, 2), torch.randn(2 * B, 2))
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


def _check_verdict(method: Method, dataset: Dataset) -> None:
    raw = dataset.split("train").take(torch.arange(B), torch.Generator().manual_seed(0))
    batch = Batch(dataset.scale(raw.x), raw.y)
    with torch.no_grad():
        logits = method.verdict(Iteration(method.generate, batch, method.prior(B)))
    if logits is not None:
        for what, found in zip(("real", "generated"), logits, strict=True):
            _shape(f"verdict of what is {what}", found, (B,))


def check_rules(rules: Rules) -> None:
    """Settings are `Derived`, by dotted path, as JSON has them; they fit into the time where there is one."""
    for spec in SPECS:
        for seconds in (None, 60.0):
            known = Situation(
                spec=spec,
                count=lambda: 1000,
                method=Method,
                roles={"discriminator": Role("discriminator", reads="x")},
                backbone=Backbone("tried", "", "tried", "tried", "tried", convolutional=True),
                device="cpu",
                seconds=None if seconds is None else partial(float, seconds),
                takes=lambda path, value: True,
                default=lambda path: 64,
                given=lambda path: None,
                measure=lambda settings: Pace(step=0.1, pause=0.1, end=1.0),
            )
            found = rules.derive(known)
            for path, derived in found.items():
                assert isinstance(derived, Derived), f"{path} is Derived"
                assert derived.reason, f"{path} has a reason"
                assert all(path.split(".")), f"'{path}' is a dotted path"
                json.dumps(derived.value)
            steps = found["trainer.steps"].value if "trainer.steps" in found else 0
            assert 0.1 * steps <= (seconds or 0), f"{steps} steps of 0.1 s fit into {seconds} s"


def _train(method: Method, dataset: Dataset, callbacks: Sequence[Callback] = (), steps: int = 2) -> Method:
    Trainer(method, dataset, callbacks, 0, steps=steps, batch_size=B, lr=1e-2).fit()
    return method


def _on_some_data(check: Callable[[DataSpec], None]) -> None:
    refusals = []
    for spec in SPECS:
        try:
            check(spec)
        except UnfitError as error:
            refusals.append(str(error))
    assert len(refusals) < len(SPECS), f"no shape of data was accepted: {refusals}"


def _build_seeded(build: Callable[[], Built], seed: int = 0) -> Built:
    with RandomState.seeded(seed).swapped_in():
        return build()


def _within(x: Tensor, spec: DataSpec) -> None:
    if spec.value_range is not None:
        low, high = spec.value_range
        assert bool((x >= low).all() and (x <= high).all()), f"data stay within {spec.value_range}"


def _leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)), requires_grad=True)


def _copies(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def _shape(what: str, tensor: Tensor, shape: Shape) -> None:
    assert tuple(tensor.shape) == shape, f"{what} has shape {shape}, not {tuple(tensor.shape)}"


def _reaches(what: str, loss: Tensor, **inputs: Tensor) -> None:
    assert loss.requires_grad, f"{what} has a slope"
    gradients = torch.autograd.grad(loss.sum(), list(inputs.values()), allow_unused=True, retain_graph=True)
    for name, gradient in zip(inputs, gradients, strict=True):
        assert gradient is not None, f"{what} depends on {name}"
        assert bool(gradient.isfinite().all() and gradient.abs().sum() > 0), f"{what} has a slope in {name}"


def _uses_all(module: nn.Module, output: Tensor) -> None:
    names, parameters = zip(*module.named_parameters(), strict=True)
    gradients = torch.autograd.grad(output.square().sum(), parameters, allow_unused=True)
    unused = [name for name, gradient in zip(names, gradients, strict=True) if gradient is None]
    assert not unused, f"its output depends on all its parameters, but not on {unused}"
