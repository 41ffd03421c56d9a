"""What is to be cited: the papers of the method and of the other components, as their modules name them."""

import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from dalikit.assembly.registry import PluginWarning, Registry
from dalikit.errors import UserError
from dalikit.reporting.blocks import Block, Table
from dalikit.reporting.section import Section
from dalikit.reporting.subject import Subject

FIRST = ("method", "game", "posterior")
"""The kinds that are cited first."""


class Sources(Section):
    """A row for each component of the runs that names a source."""

    key, title = "sources", "To be cited"
    lead = "Whoever uses these runs cites the papers that their parts come from, the method's first."

    def together(self, runs: Sequence[Subject]) -> Sequence[Block]:
        """One table."""
        used = dict.fromkeys((c.kind, c.name) for run in runs for c in run.run.components)
        ordered = sorted(used, key=lambda each: (*FIRST, each[0]).index(each[0]))
        with warnings.catch_warnings():  # of plugins that no run is made of; who loads a run is told
            warnings.simplefilter("ignore", PluginWarning)
            registry = Registry.discover()
        rows = [[kind, name, source] for kind, name in ordered if (source := _source(registry, kind, name))]
        return (Table(["part", "name", "source"], rows, "Sources of the components"),) if rows else ()


def _source(registry: Registry, kind: str, name: str) -> str:
    """Where a component comes from; "" where it does not say, or is not installed."""
    try:
        return source_of(registry.get(kind, name))
    except UserError:
        return ""


def source_of(component: Any) -> str:
    """What the module of a component, or else its class, names as its source.

    Examples:
        >>> from dalikit.components.methods.gan import PlainGAN
        >>> source_of(PlainGAN)[:21]
        'Goodfellow et al. 201'
    """
    cls = component if isinstance(component, type) else type(component)
    texts = (getattr(sys.modules.get(cls.__module__), "__doc__", None), cls.__doc__)
    found = (
        re.search(r"^Source:\s*(.+?)(?:\n\s*\n|\Z)", text or "", re.DOTALL | re.MULTILINE) for text in texts
    )
    return next((" ".join(match[1].split()) for match in found if match), "")
