"""All numbers of the log over the steps: losses, scores by validation, health, and what callbacks add."""

from collections.abc import Mapping, Sequence
from typing import Any

from dalikit.reporting import charts
from dalikit.reporting.blocks import Block, Chart, Charts, Table
from dalikit.reporting.charts import Line
from dalikit.reporting.section import Section
from dalikit.reporting.sections.overview import figure, is_number
from dalikit.reporting.subject import Subject

POINTS = 300
"""Of a line at most: where the log has more, each is the mean of several lines of it."""

TITLES = {
    "losses": "Losses, by phase and term",
    "score": "Scores by the validation part",
    "health": "Health: what was measured of samples, the discriminator and codes",
}
"""Of the events that training itself logs; a callback's own event is called what it is."""

PASSED = ("picture", "left out", "rollback", "scores")
"""Events without values over time."""

PLAIN = ("event", "step", "time", "images", "metric")
"""Fields that are no measure."""

Lines = dict[str, dict[int, Line]]
"""By the title of a chart, the line of each run, by the run's place on the page."""


class Curves(Section):
    """A small chart for each number, all runs in it."""

    key, title = "curves", "Curves"
    lead = (
        "Over the steps of the training. Move along a line to read its values; hold Shift to zoom by the "
        "wheel and to drag, double-click to go back."
    )

    def together(self, runs: Sequence[Subject]) -> Sequence[Block]:
        """Charts by event."""
        events: dict[str, Lines] = {}
        for number, run in enumerate(runs):
            for event, title, step, value in _values(run.log):
                line = events.setdefault(event, {}).setdefault(title, {}).setdefault(number, [])
                line.append((step, value))  # type: ignore[attr-defined]
        names = [run.name for run in runs]
        order = sorted(events, key=lambda event: [*TITLES, event].index(event))
        return [block for event in order for block in _blocks(TITLES.get(event, event), events[event], names)]


def _values(log: Sequence[Mapping[str, Any]]) -> Sequence[tuple[str, str, int, float]]:
    """Event, title, step and value of every number in the log."""
    found = []
    for line in log:
        event = str(line.get("event"))
        if event in PASSED:
            continue
        metric = f"{line['metric']}: " if event == "score" and "metric" in line else ""
        for field, value in line.items():
            if field not in PLAIN and is_number(value):
                found.append((event, f"{metric}{field}", line["step"], value))
    return found


def _blocks(title: str, lines: Lines, names: Sequence[str]) -> list[Block]:
    """Charts; and a table of numbers that were measured once, of which a chart would show a dot."""
    drawn = {name: found for name, found in lines.items() if any(len(line) > 1 for line in found.values())}
    once = {name: found for name, found in lines.items() if name not in drawn}
    several = len(names) > 1
    rows = [
        [name, *([names[n]] if several else []), f"{step:,}", figure(value)]
        for name, found in once.items()
        for n, line in found.items()
        for step, value in line
    ]
    headings = ["measured once", *(["run"] if several else []), "step", "value"]
    table = Table(headings, rows, f"{title}: measured once", numbers=len(headings) - 2)
    return [Charts(title, _charts(drawn, names)), *([table] if rows else [])]


def _charts(lines: Lines, names: Sequence[str]) -> list[Chart]:
    return [
        Chart(
            title,
            charts.curves({n: (names[n], _thinned(line)) for n, line in found.items()}),
            _alt(title, found),
        )
        for title, found in lines.items()
    ]


def _thinned(line: Line) -> Line:
    """A line of `POINTS` at most, each the mean of as many, and at the last of their steps."""
    size = -(-len(line) // POINTS)
    groups = [line[i : i + size] for i in range(0, len(line), size)]
    return [(group[-1][0], float(f"{sum(value for _, value in group) / len(group):.6g}")) for group in groups]


def _alt(title: str, lines: Mapping[int, Line]) -> str:
    last = [line[-1] for line in lines.values()]
    told = "; ".join(f"{value:.4g} at step {step:,}" for step, value in last)
    return f"Line chart of {title} over steps, in the end {told}"
