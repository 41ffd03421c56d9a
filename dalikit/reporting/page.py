"""The page itself: sections filled, and written as one file that needs nothing else."""

import base64
import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from importlib.metadata import version
from importlib.resources import files

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dalikit.errors import DalikitError
from dalikit.interfaces.blaming import named
from dalikit.reporting import charts
from dalikit.reporting.blocks import Block, Note
from dalikit.reporting.section import Section
from dalikit.reporting.subject import Subject
from dalikit.reporting.use import Use

Opened = tuple[Use | None, str]
"""What a run is drawn by, or None and why."""


@dataclass(frozen=True)
class Filled:
    """A section with its blocks: of all runs together, and of each run that has any, by its place."""

    section: Section
    together: Sequence[Block]
    alone: Sequence[tuple[int, Sequence[Block]]]


def write_page(
    title: str, runs: Sequence[Subject], sections: Sequence[Section], opened: Callable[[Subject], Opened]
) -> str:
    """The page of `runs`, which are opened one after the other: no two sets of weights are in memory."""
    alone = [_alone(run, sections, opened) for run in runs]
    filled = []
    for i, section in enumerate(sections):
        together = _tried(section, partial(section.together, runs))
        filled.append(Filled(section, together, [(n, own[i]) for n, own in enumerate(alone) if own[i]]))
    shown = [each for each in filled if each.together or each.alone]
    return _rendered(title, runs, shown)


def _alone(
    run: Subject, sections: Sequence[Section], opened: Callable[[Subject], Opened]
) -> list[Sequence[Block]]:
    """The blocks of one run by section; why there are no weights is said in the first."""
    use, reason = opened(run)
    found = [_tried(section, partial(section.alone, run, use)) for section in sections]
    if reason:
        found[0] = [Note(f"Nothing is drawn by this run's weights: {reason}"), *found[0]]
    return found


def _tried(section: Section, ask: Callable[[], Sequence[Block]]) -> Sequence[Block]:
    """What a section gives, or why it gives nothing: the others are to be seen all the same."""
    try:
        return ask()
    except DalikitError as error:
        return (Note(f"This cannot be shown: {error}"),)
    except Exception as error:  # of a component's, or codes that are not finite: whoever made it is told, too
        told = named(error) or f"{type(error).__name__}: {error}"
        warnings.warn(f"The report's section '{section.title}' failed: {told}", stacklevel=2)
        return (Note(f"This cannot be shown: {told}"),)


def _rendered(title: str, runs: Sequence[Subject], filled: Sequence[Filled]) -> str:
    scripts = [_library(), _text("page.js")]
    environment = Environment(
        loader=PackageLoader("dalikit.reporting"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("page.html").render(
        title=title,
        runs=runs,
        alone=len(runs) == 1,
        filled=filled,
        colour=charts.colour,
        style=Markup(_text("style.css")),
        scripts=[Markup(script) for script in scripts],
        hashes=[_hash(script) for script in scripts],
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        version=version("dalikit"),
    )


@cache
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed, as one script."""
    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script.replace("</script", "<\\/script")


def _text(name: str) -> str:
    return (files("dalikit.reporting") / "templates" / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """What a content security policy calls a script: no other one runs on the page."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
