"""How long a training takes here: measured on throwaway copies, before the first step."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dalikit.assembly.build import make_metrics, watched_trainer
from dalikit.assembly.registry import Registry
from dalikit.evaluation import scoring
from dalikit.interfaces import Callback, Dataset, Fit, Pace
from dalikit.runs.config import RunConfig

CYCLE = 16
"""Steps that are timed together, so that what is due in some of them alone counts as often as later."""

FIRST = 2
"""Steps that are not counted: memory is fetched and kernels are chosen in them."""

SECONDS = 1.5
"""That are spent at least, where they hold more than a cycle."""

UNREACHED = 1_000_000
"""Steps of a training that the stopwatch ends."""

PATIENCE = 8.0
"""Seconds after which a slow training has been timed long enough, in the middle of a cycle."""


class Stopwatch(Callback):
    """Times steps and then stops the training."""

    name = "stopwatch"

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.steps = 0
        self.seconds = 0.0

    def step_end(self, fit: Fit) -> None:
        """Look at the clock after each step, when the device is done with it."""
        fit.losses(self.name)
        now = time.monotonic()
        if fit.step <= FIRST:
            self.begun = now
            return
        self.steps, self.seconds = fit.step - FIRST, now - self.begun
        whole = self.steps % CYCLE == 0 and self.seconds >= SECONDS
        if whole or (self.seconds >= PATIENCE and self.steps % 4 == 0):
            fit.stop()


def measure_pace(config: RunConfig, registry: Registry, dataset: Dataset) -> Pace:
    """The pace of a complete configuration on its data set; nothing is written, no random state is moved."""
    with threads(config.threads):
        watch = Stopwatch()
        settings = {**config.trainer, "steps": UNREACHED}
        trainer = watched_trainer(
            config.model_copy(update={"trainer": settings}), registry, dataset, [watch], borrow=False
        )
        trainer.fit()
        begun = time.monotonic()
        trainer.state()
        saved = time.monotonic()
        scoring.score_all(make_metrics(config.metrics, dataset, registry), trainer.inference, "validation")
        scored = time.monotonic()
    validation, test = (len(dataset.split(part)) for part in ("validation", "test"))
    score = scored - saved
    final = 2 * score * test / validation  # of the last weights and of the best
    return Pace(watch.seconds / watch.steps, score + 3 * (saved - begun), final)


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Compute with `count` CPU threads inside the block, or with as many as torch chooses."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
