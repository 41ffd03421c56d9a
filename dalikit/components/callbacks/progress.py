"""A live progress bar in a terminal, and plain lines where there is none."""

import time
from typing import Annotated

from pydantic import Field
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from dalikit.hookspecs import offer
from dalikit.interfaces import Callback, Fit
from dalikit.runs import Context

DALIKIT_API = 2


class ProgressBar(Callback):
    """Shows step, losses, images per second and the time left.

    Args:
        every: steps between two looks at the losses, for each waits for the device.
        seconds: at least so long between two plain lines.
    """

    name = "progress"

    def __init__(
        self,
        context: Context,
        /,
        *,
        every: Annotated[int, Field(ge=1)] = 50,
        seconds: Annotated[float, Field(ge=0)] = 5.0,
    ) -> None:
        self.every = every
        self.seconds = seconds
        self.console = Console()
        self._bar = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            expand=True,
        )
        self._task = TaskID(0)
        self._live: Live | None = None

    def fit_start(self, fit: Fit) -> None:
        """Start the clock, and the bar where there is a terminal."""
        self._start = self._printed = time.monotonic()
        self._start_step, self._start_images = fit.step, fit.images
        # Colours may be asked for elsewhere too, as for logs that keep them; a bar that moves may not.
        if self.console.is_interactive and self.console.file.isatty():
            self._task = self._bar.add_task("", total=fit.steps, completed=fit.step)
            self._live = Live(self._bar, console=self.console, refresh_per_second=4)
            self._live.start()

    def step_end(self, fit: Fit) -> None:
        """Bring the bar up to date, or print a line when one is due."""
        if self._live:
            self._bar.update(self._task, completed=fit.step)
        if fit.step % self.every and fit.running:
            return
        now = time.monotonic()
        if self._live:
            self._bar.update(self._task, description=self._speed(fit, now))
            self._live.update(Group(self._bar, *self._phases(fit)))
        elif now - self._printed >= self.seconds or not fit.running:
            self._printed = now
            left = (now - self._start) / max(1, fit.step - self._start_step) * (fit.steps - fit.step)
            terms = "  ".join(f"{name} {value:.3f}" for name, value in self._terms(fit).items())
            speed = self._speed(fit, now)
            print(f"step {fit.step}/{fit.steps}  {terms}  {speed}  {left:.0f} s left", flush=True)

    def fit_end(self, fit: Fit) -> None:
        """Leave the bar as it stands."""
        if self._live:
            self._live.stop()
            self._live = None

    def _speed(self, fit: Fit, now: float) -> str:
        return f"{(fit.images - self._start_images) / max(now - self._start, 1e-9):,.0f} images/s"

    def _terms(self, fit: Fit) -> dict[str, float]:
        return {name: value for name, value in fit.losses(self.name).items() if not name.endswith("/total")}

    def _phases(self, fit: Fit) -> list[Text]:
        """A line for each phase, with all its terms, that is never broken: the bar would jump."""
        phases: dict[str, list[str]] = {}
        for name, value in self._terms(fit).items():
            phase, _, term = name.partition("/")
            phases.setdefault(phase, []).append(f"{term} {value:.3f}")
        width = max(map(len, phases), default=0)
        return [
            Text(f"{phase:<{width}}  {'  '.join(terms)}", "dim", no_wrap=True, overflow="ellipsis")
            for phase, terms in phases.items()
        ]


dalikit_components = offer(ProgressBar)
