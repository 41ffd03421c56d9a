"""Finds, checks and looks up components, and says what is broken and whose fault it is.

pluggy's own loader is not used to walk the entry points: it aborts at the first broken plugin, one raising
implementation aborts the whole call, and a misspelt or undecorated hook passes in silence. Here every
plugin is loaded and asked alone.
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
from typing import Any, cast

import pluggy

from dalikit import hookspecs
from dalikit.assembly.parameters import parameter_model
from dalikit.errors import PluginError, UserError, nearest
from dalikit.interfaces import Kind
from dalikit.runs.config import SECTIONS

OWN_DISTRIBUTION = "dalikit"

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
        for point in sorted(points, key=lambda p: (not _is_own(p), _source(p), p.name)):
            rows += _timed(point)
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


def _is_own(point: EntryPoint) -> bool:
    return point.dist is not None and point.dist.name == OWN_DISTRIBUTION


def _source(point: EntryPoint) -> str:
    return "unknown" if point.dist is None else point.dist.name


def _describe(row: Row) -> str:
    what = "plugin" if row.kind == "plugin" else row.kind
    return f"{what} '{row.name}' of {row.source}: {row.detail}."


def _timed(point: EntryPoint) -> list[Row]:
    """The rows of a plugin, with how long it took to be imported; one that takes long is warned of."""
    begun = time.monotonic()
    found = _rows_of(point)
    seconds = time.monotonic() - begun
    if seconds > SLOW and not _is_own(point):
        source = found[0].source
        warnings.warn(
            f"plugin '{point.name}' of {source} took {seconds:.1f} s to be imported, by every command",
            PluginWarning,
            stacklevel=3,
        )
    return [replace(row, plugin=point.name, seconds=seconds) for row in found]


def _rows_of(point: EntryPoint) -> list[Row]:
    """One row for each component that the plugin offers, or one that says why it offers none."""
    distribution = _source(point)
    version = "?" if point.dist is None else point.dist.version
    try:
        with redirect_stdout(sys.stderr):  # what a plugin prints must not end up among a command's results
            components = _components_of(point)
        rows = [Row(*_identify(c), distribution, version, "ok", component=c) for c in components]
    except (Exception, SystemExit) as error:  # whatever a plugin does wrong is its own fault
        detail = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        return [Row("plugin", point.name, distribution, version, "broken", " ".join(detail.split()))]
    for row in rows:
        if inspect.isclass(row.component):
            setattr(row.component, "origin", row.source)  # noqa: B010 - what errors name
    return rows


def _components_of(point: EntryPoint) -> list[Any]:
    plugin = point.load()
    api = getattr(plugin, "DALIKIT_API", None)
    if api is None:
        raise PluginError(f"it does not say DALIKIT_API = {hookspecs.API_VERSION}")
    if api != hookspecs.API_VERSION:
        raise PluginError(
            f"written for API {api}, this is {hookspecs.API_VERSION}; docs/migrating.md says what to change"
        )
    manager = pluggy.PluginManager("dalikit")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"unknown hook: {error}") from None
    components = [c for offered in manager.hook.dalikit_components() for c in offered]
    if not components:
        raise PluginError("it offers no component; is dalikit_components decorated with @hookimpl?")
    return components


def _identify(component: Any) -> tuple[str, str]:
    """The kind and the name of what a plugin returned."""
    kind = getattr(component, "kind", None)
    if not isinstance(kind, Kind) or inspect.isclass(component) == kind.objects:
        raise PluginError(
            f"{component!r} is no subclass of a dalikit interface, and no Backbone, Recipe or Study"
        )
    if inspect.isclass(component):
        if missing := sorted(getattr(component, "__abstractmethods__", ())):
            raise PluginError(f"{component.__name__} does not define {', '.join(missing)}")
        parameter_model(cast(Any, component))
    name = getattr(component, "name", None)
    if not isinstance(name, str) or not name:
        raise PluginError(f"{component!r} has no name")
    return kind.name, name


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
