"""How long a training takes here: measured on throwaway copies, before the first step."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch

from dalikit.assembly.build import make_metrics, watched_trainer
from dalikit.assembly.registry import Registry
from dalikit.evaluation import scoring
from dalikit.interfaces import Callback, Dataset, Fit, Pace
from dalikit.runs.config import RunConfig

CYCLE = 4
"""Steps that are timed together: penalties and balances that are not due in each are due in every fourth."""

FIRST = 4
"""Steps that are not counted: memory is fetched and kernels are chosen in them."""

SECONDS = 3.0
"""That are spent on a measurement, where a cycle is not longer."""

PATIENCE = 12.0
"""Seconds after which even a slow training has been timed long enough."""

UNREACHED = 1_000_000
"""Steps of a training that the stopwatch ends."""


FEWER = 10
"""Times the validation part's size from which on the scores of the test part are timed themselves."""


class Stopwatch(Callback):
    """Times cycles of steps, and then stops the training."""

    name = "stopwatch"

    def __init__(self) -> None:
        self.begun = self.last = time.monotonic()
        self.cycles: list[float] = []

    def step_end(self, fit: Fit) -> None:
        """Look at the clock after each cycle, when the device is done with it."""
        if fit.step % CYCLE:
            return
        fit.losses(self.name)
        now = time.monotonic()
        if fit.step > FIRST:
            self.cycles.append((now - self.last) / CYCLE)
        self.last = now
        enough = SECONDS if len(self.cycles) >= 3 else PATIENCE
        if self.cycles and now - self.begun >= enough:
            fit.stop()

    @property
    def step(self) -> float:
        """Seconds a step: the mean of the middle half, for whatever else the machine does comes in bursts."""
        cycles = sorted(self.cycles)
        cut = len(cycles) // 4
        return statistics.fmean(cycles[cut : len(cycles) - cut])


def measure_pace(config: RunConfig, registry: Registry, dataset: Dataset) -> Pace:
    """The pace of a complete configuration on its data set; nothing is written, no random state is moved."""
    with threads(config.threads):
        watch = Stopwatch()
        settings = {**config.trainer, "steps": UNREACHED}
        trainer = watched_trainer(
            config.model_copy(update={"trainer": settings}), registry, dataset, [watch], borrow=False
        )
        trainer.fit()
        save = _seconds(trainer.state)
        score = partial(scoring.score_all, make_metrics(config.metrics, dataset, registry), trainer.inference)
        scored = _seconds(partial(score, "validation"))
        validation, test = (len(dataset.split(part)) for part in ("validation", "test"))
        # What a metric costs beside its data would be multiplied too, were few of them to stand for many.
        final = scored * test / validation if test < FEWER * validation else _seconds(partial(score, "test"))
    return Pace(watch.step, scored + 3 * save, 2 * final)  # the last weights are scored, and the best


def _seconds(do: Callable[[], object]) -> float:
    begun = time.monotonic()
    do()
    return time.monotonic() - begun


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Compute with `count` CPU threads inside the block, or with as many as torch chooses."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
