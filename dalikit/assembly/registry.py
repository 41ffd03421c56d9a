"""Finds and looks up components, and says what is broken and whose fault it is.

pluggy's own loader is not used to walk the entry points: it aborts at the first broken plugin, one raising
implementation aborts the whole call, and a misspelt or undecorated hook passes in silence. Here every
plugin is loaded and asked alone (`offers`).
"""

import inspect
import sys
import time
import warnings
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from dalikit import hookspecs
from dalikit.assembly.offers import identify, offered
from dalikit.errors import PluginError, UserError, nearest, shortened
from dalikit.interfaces import Kind
from dalikit.runs.config import SECTIONS

OWN_DISTRIBUTION = "dalikit"

DETAIL = 400
"""The most letters of what is told of a fault."""

SLOW = 2.0
"""Seconds from which on a plugin's import is told of: every command waits for it."""


@dataclass(frozen=True)
class Row:
    """One line of `dalikit plugins`: a component, or a plugin that could not be used.

    `state` is "ok", "broken" (the plugin fails), "clash" (several plugins offer the name) or "refused"
    (the name is a built-in's); `detail` says why. `plugin` is the entry point's name, and `seconds` is what
    importing it took.
    """

    kind: str
    name: str
    distribution: str
    version: str
    state: str
    detail: str = ""
    component: Any = None
    plugin: str = ""
    seconds: float = 0.0

    @property
    def source(self) -> str:
        """The distribution and its version."""
        return f"{self.distribution} {self.version}"


class Registry:
    """The components of all installed plugins, by kind and name."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = tuple(rows)

    @classmethod
    def discover(cls, points: Iterable[EntryPoint] | None = None, *, strict: bool = False) -> "Registry":
        """Load every plugin of the entry point group `dalikit` (or the given `points`).

        A broken third-party plugin is warned about once and kept as a row. A broken built-in raises, and
        with `strict` anything broken does.

        Raises:
            PluginError: a plugin is broken, and it is a built-in or `strict` is set.
        """
        if points is None:
            points = entry_points(group=hookspecs.ENTRY_POINT_GROUP)
        rows: list[Row] = []
        for source, point in sorted(((_told(p, "name", "unknown"), p) for p in points), key=_own_first):
            rows += _timed(point, source)
        rows = _settle_names(_settle_kinds(rows))
        for fault in (row for row in rows if row.state != "ok"):
            own = fault.distribution == OWN_DISTRIBUTION and fault.state == "broken"
            if strict or own:
                raise PluginError(_describe(fault))
            if fault.state != "clash":
                warnings.warn(_describe(fault), PluginWarning, stacklevel=2)
        return cls(rows)

    def get(self, kind: str, name: str) -> Any:
        """The component `name` of `kind`.

        Raises:
            PluginError: two plugins offer it.
            UserError: nobody does; the message lists what is known.
        """
        return self.row(kind, name).component

    def row(self, kind: str, name: str) -> Row:
        """The row of the component `name` of `kind`; raises as `get` does."""
        clashing = [r for r in self.rows if (r.kind, r.name, r.state) == (kind, name, "clash")]
        if clashing:
            raise PluginError(
                f"{kind} '{name}' is offered by {' and by '.join(r.source for r in clashing)}; "
                "uninstall one of them"
            )
        for row in self.rows:
            if (row.kind, row.name, row.state) == (kind, name, "ok"):
                return row
        known = self.names(kind)
        broken = [_describe(row) for row in self.rows if row.state == "broken"]
        message = f"Unknown {kind} '{name}'.{nearest(name, known)} Known: {', '.join(known) or 'none'}."
        raise UserError(" ".join([message, *(f"Not loaded: {fault}" for fault in broken)]))

    def names(self, kind: str) -> list[str]:
        """The names of the usable components of `kind`, sorted."""
        return sorted(row.name for row in self.rows if row.kind == kind and row.state == "ok")

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """The kinds of which there is any component, by name."""
        return {row.kind: row.component.kind for row in self.rows if row.component is not None}

    @property
    def players(self) -> list[str]:
        """The names of the kinds of players, each a section of a configuration."""
        return [name for name, kind in self.kinds.items() if kind.player]

    def all(self, kind: str) -> list[Any]:
        """The usable components of `kind`, by name."""
        return [self.get(kind, name) for name in self.names(kind)]


class PluginWarning(UserWarning):
    """A third-party plugin cannot be used, or keeps every command waiting."""


def _told(point: EntryPoint, field: str, otherwise: str) -> str:
    """What the metadata of a point's distribution say, in a line; some have none, or none to be read."""
    try:
        return shortened(str(getattr(point.dist, field, None) or otherwise))
    except Exception:  # bytes that are no text, headers that are none
        return otherwise


def _own_first(found: tuple[str, EntryPoint]) -> tuple[bool, str, str]:
    source, point = found
    return source != OWN_DISTRIBUTION, source, point.name


def _describe(row: Row) -> str:
    what = "plugin" if row.kind == "plugin" else row.kind
    return f"{what} '{row.name}' of {row.source}: {shortened(row.detail, DETAIL)}."


def _timed(point: EntryPoint, distribution: str) -> list[Row]:
    """The rows of a plugin, with how long it took to be imported; one that takes long is warned of."""
    begun = time.monotonic()
    found = _rows_of(point, distribution)
    seconds = time.monotonic() - begun
    name = shortened(point.name)
    if seconds > SLOW and distribution != OWN_DISTRIBUTION:
        warnings.warn(
            f"plugin '{name}' of {found[0].source} took {seconds:.1f} s to be imported, by every command",
            PluginWarning,
            stacklevel=3,
        )
    return [replace(row, plugin=name, seconds=seconds) for row in found]


def _rows_of(point: EntryPoint, distribution: str) -> list[Row]:
    """One row for each component that the plugin offers, or one that says why it offers none."""
    version = _told(point, "version", "?")
    try:
        with redirect_stdout(sys.stderr):  # what a plugin prints must not end up among a command's results
            components = offered(point)
        rows = [Row(*identify(c), distribution, version, "ok", component=c) for c in components]
    except (Exception, SystemExit) as error:  # whatever a plugin does wrong is its own fault
        detail = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        return [
            Row("plugin", shortened(point.name), distribution, version, "broken", " ".join(detail.split()))
        ]
    for row in rows:
        if inspect.isclass(row.component):
            setattr(row.component, "origin", row.source)  # noqa: B010 - what errors name
    return rows


def _settle_kinds(rows: list[Row]) -> list[Row]:
    """Refuse components of a kind that is called as another is, or as a section of a configuration."""
    first: dict[str, Kind] = {}
    settled = []
    for row in rows:
        kind = getattr(row.component, "kind", None)
        if isinstance(kind, Kind):
            known = first.setdefault(kind.name, kind)
            if known != kind:
                row = _mark(row, "broken", f"there is another kind '{kind.name}' already")
            elif kind.player and kind.name in SECTIONS:
                row = _mark(row, "broken", f"a kind cannot be called '{kind.name}', as a section is")
        settled.append(row)
    return settled


def _settle_names(rows: list[Row]) -> list[Row]:
    """Mark every (kind, name) that several plugins offer. A built-in keeps its name."""
    offers: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.state == "ok":
            offers.setdefault((row.kind, row.name), []).append(row)
    return [_settle_row(row, offers.get((row.kind, row.name), [])) for row in rows]


def _settle_row(row: Row, offers: list[Row]) -> Row:
    if row.state != "ok" or len(offers) == 1:
        return row
    others = ", ".join(r.source for r in offers if r is not row)
    owners = [r for r in offers if r.distribution == OWN_DISTRIBUTION]
    if len(owners) == 1:
        if row is owners[0]:
            return row
        return _mark(row, "refused", f"the name '{row.name}' is a built-in's")
    return _mark(row, "clash", f"also offered by {others}")


def _mark(row: Row, state: str, detail: str) -> Row:
    return replace(row, state=state, detail=detail, component=None)
