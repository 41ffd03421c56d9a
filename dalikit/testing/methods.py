"""The contract of methods, and of what trains them and watches: optimizers and callbacks."""

import json
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from inspect import getattr_static

import torch
from torch import Tensor, nn

from dalikit.errors import UnfitError
from dalikit.interfaces import Batch, Callback, Dataset, Iteration, Method, Optimizer, Phase
from dalikit.testing.assertions import B, build_seeded, check_saving, check_shape
from dalikit.training import Optimization, Trainer
from dalikit.training.optimization import RoleOptimizer

ALIKE = 0.8
"""How alike a method's name is to a hook's that was meant, as difflib has it: `on_step_end` is by 0.84."""


def check_method(build: Callable[[], Method], dataset: Dataset) -> None:
    """Each phase moves the roles it trains and no others; a run repeats; it generates and infers."""
    for i, phase in enumerate(build().phases()):
        _check_phase(build(), i, phase, dataset)
    first, second = (_train(build_seeded(build), dataset) for _ in range(2))
    same = all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert same, (
        "two runs under one seed end with other parameters; what is random should be drawn from "
        "torch's generator"
    )
    first.eval()
    y = first.draw_labels(B)
    x = first.generate(first.prior(B), y)
    check_shape("generate", x, (B, *dataset.spec.x_shape))
    if first.infers:
        size = first.prior(1).shape[1]
        event = tuple(first.posterior(x, y).event_shape)
        assert event == (size,), f"the posterior is over {event}; it should be over z, ({size},)"
        check_shape("code", first.code(x, y), (B, size))
    else:
        try:
            first.posterior(x, y)
        except UnfitError:
            pass
        else:
            raise AssertionError("it has a posterior and says infers = False; it should say infers = True")
    _check_verdict(first, dataset)
    check_saving(build)


def _check_phase(method: Method, position: int, phase: Phase, dataset: Dataset) -> None:
    before = {role: _copies(method.player(role)) for role, _ in method.named_children()}
    trainer = Trainer(method, dataset, steps=1, batch_size=B, lr=1e-2)
    trainer.phases = (trainer.phases[position],)
    trainer.fit()
    for role, old in before.items():
        new = list(method.player(role).parameters())
        moved = any(not torch.equal(a, b) for a, b in zip(old, new, strict=True))
        if role not in phase.trains:
            assert not moved, (
                f"phase '{phase.name}' changes parameters of {role}; it should change those alone that it "
                f"trains, {', '.join(phase.trains)}"
            )
        elif new:
            assert moved, (
                f"phase '{phase.name}' changes none of its parameters of {role}; it should change some, "
                "for it trains it"
            )


def _check_verdict(method: Method, dataset: Dataset) -> None:
    raw = dataset.split("train").take(torch.arange(B), torch.Generator().manual_seed(0))
    batch = Batch(dataset.scale(raw.x), raw.y)
    with torch.no_grad():
        logits = method.verdict(Iteration(method.generate, batch, method.prior(B)))
    if logits is not None:
        for what, found in zip(("real", "generated"), logits, strict=True):
            check_shape(f"verdict of what is {what}", found, (B,))


def check_callback(callback: Callback, build: Callable[[], Method], dataset: Dataset) -> None:
    """It lives through a training, changes nothing of what is learned, and goes on from its own state.

    What it is told of, it is told by the hooks' own names.
    """
    _check_hooks(type(callback))
    with_it, without = (_train(build_seeded(build), dataset, watchers, 3) for watchers in ([callback], []))
    pairs = zip(with_it.parameters(), without.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs), (
        "a training that it watches ends with other parameters; a callback should change nothing of what is "
        "learned: what it draws it draws inside `RandomState.seeded(…).swapped_in()`"
    )
    state = json.loads(json.dumps(callback.state()))
    callback.load_state(state)
    assert callback.state() == state, (
        f"a state {state} is {callback.state()} once it was loaded; load_state should take what state gave, "
        "as JSON has it"
    )


def _check_hooks(cls: type[Callback]) -> None:
    """None of its methods is called nearly as a hook is that it does not have: nobody would call it."""
    hooks = [
        name for name in vars(Callback) if callable(getattr(Callback, name)) and not name.startswith("_")
    ]
    missing = [name for name in hooks if getattr_static(cls, name) is getattr_static(Callback, name)]
    own = [name for base in cls.__mro__[: cls.__mro__.index(Callback)] for name in vars(base)]
    for name in own:
        if callable(getattr(cls, name)) and not name.startswith("_") and name not in hooks:
            meant = get_close_matches(name, missing, n=1, cutoff=ALIKE)
            assert not meant, (
                f"it has a method '{name}', which nobody calls; it should be called '{meant[0]}'"
            )


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
    reached = float(points[0].detach().abs().max())
    assert reached < 2.0, f"three steps on x² lead from 2 to {reached:.4g}; they should go down the gradient"
    with torch.no_grad():
        points[1].copy_(points[0])
    steppers[1].load({name: tensor.clone() for name, tensor in steppers[0].state().items()})
    for place in (0, 1):
        step(place)
    assert torch.equal(*points), (
        "a step behind a state that was loaded is another; all that it keeps should be in its state, so that "
        "it goes on from a state that was saved"
    )
    steppers[0].set_rate(0.0)
    before = points[0].detach().clone()
    step(0)
    assert torch.equal(points[0], before), (
        "it steps where its rate was set to 0; it should read the rate from the tensor it is given, in "
        "every step"
    )


def _train(method: Method, dataset: Dataset, callbacks: Sequence[Callback] = (), steps: int = 2) -> Method:
    Trainer(method, dataset, callbacks, 0, steps=steps, batch_size=B, lr=1e-2).fit()
    return method


def _copies(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]
