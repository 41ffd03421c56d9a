"""All settings of a run, and who gave each; of several runs, first those in which they differ."""

import json
from collections.abc import Mapping, Sequence

from dalikit.assembly.origins import settings_of
from dalikit.reporting.blocks import Block, Folded, Table
from dalikit.reporting.section import Section
from dalikit.reporting.subject import Subject
from dalikit.reporting.use import Use

UNSET = "-"
"""What is shown of a setting that a run does not have."""


class Configuration(Section):
    """Settings with their origins."""

    key, title = "configuration", "Configuration"
    lead = (
        "A setting was given by the user, by a recipe, or by another run; what nobody gave was derived, with "
        "its reason, or is its component's own default."
    )
    beside = False

    def together(self, runs: Sequence[Subject]) -> Sequence[Block]:
        """In what the runs differ."""
        if len(runs) == 1:
            return ()
        settings = [_settings(run) for run in runs]
        paths = list(dict.fromkeys(path for each in settings for path in each))
        rows = [[path, *(each.get(path, UNSET) for each in settings)] for path in paths]
        differing = [row for row in rows if len(set(row[1:])) > 1]
        if not differing:
            return ()
        return (
            Table(["setting", *(run.name for run in runs)], differing, "Settings in which the runs differ"),
        )

    def alone(self, run: Subject, use: Use | None) -> Sequence[Block]:
        """Those that somebody gave or that were derived; and all of them."""
        settings, origins = _settings(run), _origins(run)
        rows = [[path, value, origins.get(path, "")] for path, value in settings.items()]
        chosen = [row for row in rows if row[2] not in ("default", "")]
        titles = {f"{len(chosen)} settings that are no defaults": chosen, f"All {len(rows)} settings": rows}
        return [
            Folded(title, [Table(["setting", "value", "from"], found, title)], opened=found is chosen)
            for title, found in titles.items()
            if found
        ]


def _settings(run: Subject) -> dict[str, str]:
    found = dict(settings_of(run.config))
    return {path: each if isinstance(each, str) else json.dumps(each) for path, each in found.items()}


def _origins(run: Subject) -> Mapping[str, str]:
    """By setting, who gave it; nothing of runs that were not told."""
    found = run.told("origins")
    return {str(path): str(origin) for path, origin in found.items()} if isinstance(found, dict) else {}
