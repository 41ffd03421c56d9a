"""Charts as Vega-Lite's specifications, by Altair; colours of text and grid are the page's, light or dark."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import altair as alt

PALETTE = (
    *("#4c78d8", "#e4812c", "#2f9e77", "#d6497f", "#8a63d2"),
    *("#b08900", "#1a9bc4", "#c0504d", "#6b8e23", "#7f7f7f"),
)
"""Colours that are told apart on white and on dark grey; the first ones by the colour-blind too."""

Line = Sequence[tuple[int, float]]
"""Steps with a value each."""

HEIGHT = 150
"""Of a small chart, in pixels."""

LEGEND = 20
"""Labels of which a legend is still read."""

SHIFTED = "[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!"
"""What moves a chart: a plain gesture is to scroll the page."""


_AXIS = alt.Axis(tickCount=4, grid=False, labelExpr="format(datum.value, '~s')")
_HIDDEN = alt.Axis(grid=False, ticks=False, labels=False)


def colour(number: int) -> str:
    """That of a run, by its place on the page."""
    return PALETTE[number % len(PALETTE)]


def curves(lines: Mapping[int, tuple[str, Line]]) -> dict[str, Any]:
    """Lines over steps, by the number of their run, each with its name; a hair line tells the values."""
    values = [
        {"step": step, "value": value, "run": f"r{number}"}
        for number, (_, line) in lines.items()
        for step, value in line
    ]
    named = tuple((number, name) for number, (name, _) in lines.items())
    dots = any(len(line) < 2 for _, line in lines.values())  # of which nothing would be seen
    return {**_empty_curves(named, dots), "data": {"values": values}}


@cache
def _empty_curves(runs: tuple[tuple[int, str], ...], dots: bool) -> dict[str, Any]:
    """The specification without values: a page has dozens of them, and Altair checks every word of each."""
    x = alt.X("step:Q", title=None, axis=_AXIS, scale=alt.Scale(nice=False, padding=5))
    base = alt.Chart(alt.InlineData(values=[])).encode(x=x)
    zoom = alt.selection_interval(
        name="zoom", bind="scales", encodings=["x"], zoom="wheel![event.shiftKey]", translate=SHIFTED
    )
    colours = alt.Scale(domain=[f"r{n}" for n, _ in runs], range=[colour(n) for n, _ in runs])
    drawn = base.mark_line(strokeWidth=1.6, point=dots).encode(
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4)),
        color=alt.Color("run:N", scale=colours, legend=None),
    )
    hover = alt.selection_point(
        name="hover", fields=["step"], nearest=True, on="pointerover", empty=False, clear="pointerout"
    )
    told = [alt.Tooltip("step:Q", title="step", format=",")]
    told += [alt.Tooltip(f"r{n}:Q", title=name, format=".4~g") for n, name in runs]
    rule = (
        base.transform_pivot("run", value="value", groupby=["step"])
        .mark_rule(strokeWidth=1)
        .encode(opacity=alt.condition(hover, alt.value(0.5), alt.value(0)), tooltip=told)
        .add_params(hover)
    )
    return _finished(alt.layer(drawn.add_params(zoom), rule), HEIGHT)


def bars(values: Sequence[float], x: str, y: str) -> dict[str, Any]:
    """A bar for each value in [0, 1], by its place."""
    rows = [{"place": place, "value": round(value, 4)} for place, value in enumerate(values)]
    few = len(values) <= 40
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(color=colour(0))
        .encode(
            x=alt.X("place:O", title=x, axis=alt.Axis(labelAngle=0, labels=few, ticks=few)),
            y=alt.Y("value:Q", title=y, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
            tooltip=[alt.Tooltip("place:O", title=x), alt.Tooltip("value:Q", title=y, format=".1%")],
        )
    )
    return _finished(chart, 200)


def strips(groups: Mapping[str, Sequence[float]], title: str) -> dict[str, Any]:
    """How the values of each group are spread: a tick for each, and one for the median."""
    rows = [
        {"group": name, "value": float(f"{value:.5g}")} for name, values in groups.items() for value in values
    ]
    base = alt.Chart(alt.InlineData(values=rows))
    order = list(groups)
    y = alt.Y("group:N", title=None, sort=order, axis=alt.Axis(labelLimit=140, ticks=False, domain=False))
    scale = alt.Scale(domain=order, range=[colour(i) for i in range(len(order))])
    colours = alt.Color("group:N", scale=scale, legend=None)
    ticks = base.mark_tick(opacity=0.45, thickness=1.5).encode(
        x=alt.X("value:Q", title=title, scale=alt.Scale(zero=False)),
        y=y,
        color=colours,
        tooltip=[alt.Tooltip("group:N", title="of"), alt.Tooltip("value:Q", title=title)],
    )
    medians = base.mark_point(shape="diamond", filled=True, size=90, opacity=1).encode(
        x=alt.X("median(value):Q", title=title),
        y=y,
        color=colours,
        tooltip=[alt.Tooltip("group:N", title="median of"), alt.Tooltip("median(value):Q", format=".4~g")],
    )
    return _finished(alt.layer(ticks, medians), 90 + 30 * len(groups))


def scatter(
    rows: Sequence[Mapping[str, Any]],
    axes: tuple[str, str] | None,
    label: Sequence[str],
    told: Mapping[str, str],
) -> dict[str, Any]:
    """A point for each row at its `x` and `y`, coloured by its `label` where there are any.

    Without `axes` places mean nothing but who is near whom. Hovering shows what `told` names, by field; a
    field `image` holds the data URI of a picture.
    """
    tooltip = [alt.Tooltip(f"{field}:N", title=title) for field, title in told.items()]
    axis, titles = (_HIDDEN, (None, None)) if axes is None else (alt.Axis(grid=False), axes)
    chart = (
        alt.Chart(alt.InlineData(values=list(rows)))
        .mark_circle(size=44, opacity=0.75, stroke=None)
        .encode(
            x=alt.X("x:Q", title=titles[0], scale=alt.Scale(zero=False, padding=8), axis=axis),
            y=alt.Y("y:Q", title=titles[1], scale=alt.Scale(zero=False, padding=8), axis=axis),
            tooltip=tooltip,
            color=_labelled(label) if label else alt.value(colour(0)),
        )
    )
    return _finished(chart, 440)


def _labelled(label: Sequence[str]) -> alt.Color:
    scale = alt.Scale(domain=list(label), range=[colour(i) for i in range(len(label))])
    few = len(label) <= LEGEND
    legend = (
        alt.Legend(title=None, orient="bottom", columns=5, labelLimit=90, symbolOpacity=1) if few else None
    )
    return alt.Color("label:N", scale=scale, legend=legend)


def _finished(chart: alt.TopLevelMixin, height: int) -> dict[str, Any]:
    """The specification of a chart that is as wide as the page leaves it."""
    wide = chart.properties(
        width="container", height=height, autosize=alt.AutoSizeParams(type="fit", contains="padding")
    )
    with alt.data_transformers.enable(consolidate_datasets=False):
        found: dict[str, Any] = wide.to_dict()
    found.pop("config", None)  # Altair's own theme
    return found
