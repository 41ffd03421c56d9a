"""Finds and looks up components, and says what is broken and whose fault it is.

pluggy's own loader is not used to walk the entry points: it aborts at the first broken plugin, one raising
implementation aborts the whole call, and a misspelt or undecorated hook passes in silence. Here every
plugin is loaded and asked alone (`offers`).
"""

import warnings
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from dalikit import hookspecs
from dalikit.assembly.rows import OWN_DISTRIBUTION, PluginWarning, Row, distribution_of, rows_of
from dalikit.assembly.selection import canonical, divided, strict
from dalikit.assembly.settling import settled
from dalikit.errors import PluginError, UserError, nearest
from dalikit.interfaces import Kind

OF = ":"
"""Between a distribution and a component's name, where the name alone does not say which is meant."""

__all__ = ["OF", "OWN_DISTRIBUTION", "PluginWarning", "Registry", "Row"]


class Registry:
    """The components of all installed plugins, by kind and name.

    A name that several packages offer is `package:name` for each; everything may be called so.

    Args:
        rows: what is there.
        left_out: distributions that are installed and were not to be loaded.
        waiting: entry points that are loaded once a name is not found without them.
    """

    def __init__(
        self, rows: Iterable[Row], left_out: Collection[str] = (), waiting: Sequence[EntryPoint] = ()
    ) -> None:
        self.rows = tuple(rows)
        self.left_out = frozenset(left_out)
        self._waiting = tuple(waiting)

    @classmethod
    def discover(
        cls,
        points: Iterable[EntryPoint] | None = None,
        *,
        strict: bool | None = None,
        needed: Collection[str] | None = None,
    ) -> "Registry":
        """Load every plugin of the entry point group `dalikit` (or the given `points`) that is selected.

        A broken third-party plugin or component is warned about once and kept as a row. A broken built-in
        raises, and with `strict` anything broken does.

        Args:
            points: in place of all that are installed.
            strict: whether anything broken raises; `DALIKIT_STRICT` unless given.
            needed: distributions that are enough, unless a name is asked for that none of them has; all
                unless given. An entry point names a module and not what is in it, so that nobody can tell
                which of them are needed for a name.

        Raises:
            PluginError: a plugin is broken, and it is a built-in or `strict` is set.
            UserError: a plugin is to be loaded, or left out, that is not there.
        """
        everyone = entry_points(group=hookspecs.ENTRY_POINT_GROUP) if points is None else points
        loaded, left_out = divided(sorted(everyone, key=_own_first))
        severe = _strict(strict)
        now = [point for point in loaded if needed is None or severe or _is_of(point, needed)]
        waiting = [] if len(now) == len(loaded) else loaded
        return cls(_rows(now, severe), {distribution_of(point) for point in left_out}, waiting)

    def get(self, kind: str, name: str) -> Any:
        """The component `name`, or `package:name`, of `kind`.

        Raises:
            PluginError: two plugins offer it.
            UserError: nobody does; the message lists what is known.
        """
        return self.row(kind, name).component

    def row(self, kind: str, name: str) -> Row:
        """The row of the component `name` of `kind`; raises as `get` does."""
        found = self._find(kind, name)
        if not found and self._waiting:
            self._load_all()
            found = self._find(kind, name)
        if len(found) > 1:
            names = " or ".join(_full(row) for row in found)
            raise PluginError(
                f"{kind} '{name}' is offered by {' and by '.join(r.source for r in found)}: say {names}, or "
                "uninstall one of them"
            )
        if found:
            return found[0]
        known = self.names(kind)
        broken = [row.described for row in self.rows if row.state == "broken"]
        message = f"Unknown {kind} '{name}'.{nearest(name, known)} Known: {', '.join(known) or 'none'}."
        raise UserError(" ".join([message, *(f"Not loaded: {fault}" for fault in broken)]))

    def has(self, kind: str, name: str) -> bool:
        """Whether what is loaded has such a component, one or several."""
        return bool(self._find(kind, name))

    def beside(self, row: Row, kind: str, name: str) -> str:
        """How a component is to be called that `row`'s calls `name`: its own package's, if others offer it.

        So a backbone is made of its own package's networks, whatever else is installed.
        """
        own = f"{row.distribution}{OF}{name}"
        return own if len(self._find(kind, name)) > 1 and len(self._find(kind, own)) == 1 else name

    def names(self, kind: str) -> list[str]:
        """The names by which components of `kind` are had, sorted."""
        usable = [row for row in self.rows if row.kind == kind and row.state == "ok"]
        clashing = [row for row in self.rows if row.kind == kind and row.state == "clash"]
        full = [_full(row) for row in clashing]
        return sorted([*(row.name for row in usable), *(name for name in full if full.count(name) == 1)])

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """The kinds of which there is any component, by name."""
        usable = (row for row in self.rows if row.state in ("ok", "clash"))
        return {row.kind: row.component.kind for row in usable}

    @property
    def players(self) -> list[str]:
        """The names of the kinds of players, each a section of a configuration."""
        return [name for name, kind in self.kinds.items() if kind.player]

    def all(self, kind: str) -> list[Any]:
        """The usable components of `kind`, by name."""
        return [self.get(kind, name) for name in self.names(kind)]

    def _find(self, kind: str, name: str) -> list[Row]:
        """The rows that a name can mean, alone or behind a distribution's."""
        usable = [row for row in self.rows if row.kind == kind and row.state in ("ok", "clash")]
        found = [row for row in usable if row.name == name]
        package, colon, own = name.partition(OF)
        if not found and colon:
            found = [r for r in usable if r.name == own and canonical(r.distribution) == canonical(package)]
        return found

    def _load_all(self) -> None:
        """Load what was not thought to be needed."""
        self.rows, self._waiting = _rows(self._waiting, severe=False), ()
        vars(self).pop("kinds", None)


def _strict(said: bool | None) -> bool:
    return strict() if said is None else said


def _own_first(point: EntryPoint) -> tuple[bool, str, str]:
    source = distribution_of(point)
    return source != OWN_DISTRIBUTION, source, point.name


def _is_of(point: EntryPoint, distributions: Collection[str]) -> bool:
    wanted = {OWN_DISTRIBUTION, *map(canonical, distributions)}
    return canonical(distribution_of(point)) in wanted


def _full(row: Row) -> str:
    """What a component is called whatever else is installed."""
    return f"{row.distribution}{OF}{row.name}"


def _rows(points: Iterable[EntryPoint], severe: bool) -> tuple[Row, ...]:
    """What the points offer; what cannot be used is warned of, or raised."""
    rows = settled([row for point in points for row in rows_of(point)])
    for fault in (row for row in rows if row.state != "ok"):
        own = fault.distribution == OWN_DISTRIBUTION and fault.state == "broken"
        if severe or own:
            raise PluginError(fault.described)
        if fault.state != "clash":
            warnings.warn(fault.described, PluginWarning, stacklevel=4)
    return tuple(rows)
