"""What came through one entry point: a row for each component, and for each that could not be used."""

import inspect
import sys
import time
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from typing import Any

from dalikit.assembly.offers import called, identify, offered
from dalikit.errors import PluginError, shortened

OWN_DISTRIBUTION = "dalikit"

DETAIL = 400
"""The most letters of what is told of a fault."""

SLOW = 2.0
"""Seconds from which on a plugin's import is told of: every command waits for it."""


class PluginWarning(UserWarning):
    """A third-party plugin cannot be used, or keeps every command waiting."""


@dataclass(frozen=True)
class Row:
    """One line of `dalikit plugins`: a component, or a plugin that could not be used.

    `state` is "ok", "broken" (the plugin or this component of it fails), "clash" (several plugins offer the
    name: each is had as `package:name`) or "refused" (the name is a built-in's); `detail` says why. `plugin`
    is the entry point's name, and `seconds` is what importing it took.
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

    @property
    def described(self) -> str:
        """Who is at fault, and why, for a warning or an error."""
        return f"{self.kind} '{self.name}' of {self.source}: {shortened(self.detail, DETAIL)}."

    def marked(self, state: str, detail: str) -> "Row":
        """The row in another state than ok."""
        return replace(self, state=state, detail=detail)


def rows_of(point: EntryPoint) -> list[Row]:
    """The rows of a plugin, with how long it took to be imported; one that takes long is warned of."""
    begun = time.monotonic()
    found = _rows_of(point)
    seconds = time.monotonic() - begun
    name, source = shortened(point.name), found[0].source
    if seconds > SLOW and found[0].distribution != OWN_DISTRIBUTION:
        warnings.warn(
            f"plugin '{name}' of {source} took {seconds:.1f} s to be imported, by each command that may need "
            "it",
            PluginWarning,
            stacklevel=3,
        )
    return [replace(row, plugin=name, seconds=seconds) for row in found]


def distribution_of(point: EntryPoint) -> str:
    """The distribution that a point is of, in a line; "unknown" where its metadata say none."""
    return _told(point, "name", "unknown")


def _told(point: EntryPoint, field: str, otherwise: str) -> str:
    """What the metadata of a point's distribution say, in a line; some have none, or none to be read."""
    try:
        return shortened(str(getattr(point.dist, field, None) or otherwise))
    except Exception:  # bytes that are no text, headers that are none
        return otherwise


def _rows_of(point: EntryPoint) -> list[Row]:
    """One row for each thing that the plugin offers, or one that says why it offers none."""
    distribution, version = distribution_of(point), _told(point, "version", "?")

    def broken(kind: str, name: str, error: BaseException) -> Row:
        detail = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        return Row(kind, name, distribution, version, "broken", " ".join(detail.split()))

    try:
        with redirect_stdout(sys.stderr):  # what a plugin prints must not end up among a command's results
            components = offered(point)
    except (Exception, SystemExit) as error:  # whatever a plugin does wrong is its own fault
        return [broken("plugin", shortened(point.name), error)]
    rows = []
    for component in components:
        try:
            row = Row(*identify(component), distribution, version, "ok", component=component)
        except (Exception, SystemExit) as error:  # and what one component does wrong is not the others'
            rows.append(broken(*(called(component) or ("plugin", shortened(point.name))), error))
            continue
        if inspect.isclass(component):
            setattr(component, "origin", row.source)  # noqa: B010 - what errors name
        rows.append(row)
    return rows
