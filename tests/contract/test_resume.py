"""Every registered method, game, optimizer, augmentation and posterior is stopped, resumed, and ends alike.

Whoever is registered is in it by that: an installed plugin's components too.
"""

import random
from itertools import cycle

import numpy as np
import pytest
from subjects import settings
from traces import differences

from dalikit import training_run
from dalikit.assembly.parameters import check_parameters
from dalikit.assembly.registry import Registry
from dalikit.assembly.resolve import resolve
from dalikit.data import prepared
from dalikit.interfaces import Callback, Method

REGISTRY = Registry.discover()
STEPS = 6

CALLBACKS = {
    "progress": None,
    "health": None,
    "log": {"every": 2},
    "evaluation": {"every": 3},
    "pictures": {"every": 6, "count": 4},
    "checkpoint": {"every": 4, "keep": 2},
}


def named(kind):
    """Components of a kind, again and again."""
    return cycle(REGISTRY.names(kind))


def kinds_of(method):
    cls = REGISTRY.get("method", method)
    return {role.kind for role in cls.roles(**check_parameters(cls, "method", {})).values()}


def combinations():
    """Each method, with games, optimizers and augmentations in turn; then what that has left out, on dali.

    A resume of each is so tried, and of many together; all together are hundreds.
    """
    games, optimizers, augmentations = (named(kind) for kind in ("game", "optimizer", "augmentation"))
    made = []
    for method in REGISTRY.names("method"):
        kinds = kinds_of(method)
        own = REGISTRY.get("method", method).optimizers is not Method.optimizers  # whose moments it reads
        case = {"method": method} | ({} if own else {"optimizer": next(optimizers)})
        case |= {"game": next(games)} if "game" in kinds else {}
        case |= {"augmentation": next(augmentations)} if "augmentation" in kinds else {}
        made.append(case)
    made += [{"method": "dali", "posterior": name} for name in REGISTRY.names("posterior")]
    for kind in ("game", "optimizer", "augmentation"):
        there = {case.get(kind) for case in made}
        made += [{"method": "dali", kind: name} for name in REGISTRY.names(kind) if name not in there]
    return made


class Stopping(Callback):
    """Stops a training after `step`."""

    name = "stopping"

    def __init__(self, step):
        self.step = step

    def step_end(self, fit):
        if fit.step == self.step:
            fit.stop()


def configured(case, frozen):
    sections = settings(case["method"], "digits", REGISTRY, frozen)
    trainer = {**sections["trainer"], "steps": STEPS}
    trainer |= {"optimizer": case["optimizer"]} if "optimizer" in case else {}
    own = {kind: {"name": case[kind]} for kind in ("game", "augmentation", "posterior") if kind in case}
    return resolve([{**sections, "trainer": trainer, "callbacks": CALLBACKS, **own}], REGISTRY)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """A run from which methods take the networks that they do not train."""
    run = tmp_path_factory.mktemp("frozen") / "run"
    with training_run.start(configured({"method": "gan"}, None), REGISTRY, run) as training:
        training.fit()
    return run


def test_every_component_is_in_some_combination():
    made = combinations()
    for kind in ("method", "game", "optimizer", "augmentation", "posterior"):
        assert {case[kind] for case in made if kind in case} == set(REGISTRY.names(kind))


@pytest.mark.parametrize("case", combinations(), ids=lambda case: " ".join(case.values()))
def test_a_stopped_run_ends_as_one_that_was_not(case, frozen, tmp_path):
    check_stops(configured(case, frozen), tmp_path, random.Random(" ".join(case.values())))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("held", ["mapped", "in memory"])
def test_it_ends_alike_on_data_that_are_mapped_and_on_two_threads(held, threads, tmp_path, monkeypatch):
    """With networks and batches large enough for torch to share them out."""
    monkeypatch.setattr(prepared, "LIMIT", 1 if held == "mapped" else 1 << 30)
    images = np.random.default_rng(0).integers(0, 256, (300, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images)
    trainer = {"steps": STEPS, "batch_size": 64}
    networks = {"backbone": "dcgan", "generator": {"width": 16}, "discriminator": {"width": 16}}
    dataset = {"name": "arrays", "path": str(tmp_path / "own.npz")}
    sections = {"dataset": dataset, "trainer": trainer, "callbacks": CALLBACKS, "threads": threads}
    resolved = resolve([{**sections, **networks}], REGISTRY)
    assert isinstance(prepared.read(tmp_path / "own.npz")["images"], np.memmap) == (held == "mapped")
    check_stops(resolved, tmp_path, random.Random(f"{held} {threads}"))


def check_stops(resolved, folder, rng):
    """Stopped at two steps of its own, a run leaves what one leaves that was not."""
    whole, run = folder / "whole", folder / "run"
    with training_run.start(resolved, REGISTRY, whole) as training:
        training.fit()
    first, second = sorted(rng.sample(range(1, STEPS), 2))
    for step in (first, second, None):
        began = run.exists()
        with (
            training_run.resume(run, REGISTRY) if began else training_run.start(resolved, REGISTRY, run)
        ) as training:
            if step is not None:
                training.trainer.watchers.add(Stopping(step))
            training.fit()
            assert training.finished == (step is None)
    assert differences(whole, run) == []
