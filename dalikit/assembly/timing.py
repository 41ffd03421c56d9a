"""How long a training takes here: measured on throwaway copies, before the first step."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import torch

from dalikit.assembly.build import make_metrics, watched_trainer
from dalikit.assembly.registry import Registry
from dalikit.evaluation import scoring
from dalikit.interfaces import Callback, Dataset, Fit, Pace
from dalikit.runs.config import RunConfig

CYCLE = 4
"""Steps that are timed together: penalties and balances that are not due in each are due in every fourth."""

FIRST = 4
"""Steps that are not counted, where there are more: memory is fetched and kernels are chosen in them."""

CYCLES = 3
"""That are timed at least, where the time allows."""

SECONDS = 3.0
"""That are spent on a measurement, where a cycle is not longer."""

UNREACHED = 1_000_000
"""Steps of a training that the stopwatch ends."""

FEWER = 10
"""Times the validation part's size from which on the scores of the test part are timed themselves."""


class Stopwatch(Callback):
    """Times steps and stops the training, after `patience` seconds at the latest and the step it is in."""

    name = "stopwatch"

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.ends = [time.monotonic()]

    def step_end(self, fit: Fit) -> None:
        """Look at the clock, now and then when the device is done."""
        if fit.step % CYCLE == 0 or self.ends[-1] - self.ends[0] > SECONDS:
            fit.losses(self.name)
        self.ends.append(time.monotonic())
        spent = self.ends[-1] - self.ends[0]
        enough = fit.step % CYCLE == 0 and fit.step >= FIRST + CYCLES * CYCLE and spent >= SECONDS
        if enough or spent >= self.patience:
            fit.losses(self.name)
            fit.stop()

    @property
    def step(self) -> float:
        """Seconds a step: the mean of the middle half, for whatever else the machine does comes in bursts."""
        ends = self.ends[min(FIRST, len(self.ends) - 2) :]
        whole = ends[::CYCLE] if len(ends) > CYCLE else [ends[0], ends[-1]]
        steps = CYCLE if len(ends) > CYCLE else len(ends) - 1
        cycles = sorted((b - a) / steps for a, b in pairwise(whole))
        cut = len(cycles) // 4
        return statistics.fmean(cycles[cut : len(cycles) - cut])


def measure_pace(config: RunConfig, registry: Registry, dataset: Dataset, patience: float = 12.0) -> Pace:
    """The pace of a complete configuration on its data set; nothing is written, no random state is moved.

    After `patience` seconds even slow steps have been timed long enough.
    """
    with threads(config.threads):
        watch = Stopwatch(patience)
        settings = {**config.trainer, "steps": UNREACHED}
        trainer = watched_trainer(
            config.model_copy(update={"trainer": settings}), registry, dataset, [watch], borrow=False
        )
        trainer.fit()
        save = _seconds(trainer.state)
        dataset.stamp  # noqa: B018 - it is made once, and no part of what each score costs
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
