"""The installed plugins: what each offers, what of it is broken and why, and how long its import takes."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from dalikit.assembly.registry import OWN_DISTRIBUTION, PluginWarning, Registry, Row
from dalikit.assembly.rows import SLOW
from dalikit.errors import PluginError


@dataclass(frozen=True)
class Plugin:
    """An entry point, and what came through it.

    Attributes:
        plugin: the entry point's name.
        distribution: which has it.
        version: of that.
        seconds: that its import took.
        slow: whether that is long.
        components: what can be used, as `kind name`.
        faults: what cannot, and why.
    """

    plugin: str
    distribution: str
    version: str
    seconds: float
    slow: bool
    components: tuple[str, ...]
    faults: tuple[str, ...]


def plugins() -> list[Plugin]:
    """All installed ones, dalikit's own first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # all of it is told of here
        try:
            rows: Iterable[Row] = Registry.discover(strict=False).rows
        except PluginError as error:  # a built-in's, without which nothing goes
            return [Plugin("builtin", OWN_DISTRIBUTION, "", 0.0, False, (), (str(error),))]
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.plugin, row.distribution, row.version), []).append(row)
    return [_plugin(*which, own) for which, own in found.items()]


def _plugin(plugin: str, distribution: str, version: str, rows: list[Row]) -> Plugin:
    seconds = rows[0].seconds
    usable = tuple(f"{row.kind} {row.name}" for row in rows if row.state == "ok")
    faults = tuple(
        row.detail if row.kind == "plugin" else f"{row.kind} '{row.name}': {row.detail}"
        for row in rows
        if row.state != "ok"
    )
    slow = seconds > SLOW and distribution != OWN_DISTRIBUTION
    return Plugin(plugin, distribution, version, round(seconds, 3), slow, usable, faults)
