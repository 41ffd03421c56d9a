"""A page as tests read it: sections with their text, pictures and charts, and every address that it names."""

import json
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from dalikit.reporting.report import report

LEADING = ("src", "href", "srcset", "action", "data", "poster")
"""Attributes that name what a browser asks for, or leads to."""

VOID = {"img", "input", "link", "meta"}


HOSTILE = '</script><img src=x onerror="window.hacked = 1"><b>\'{{ 7 * 7 }}'
"""What would run, or load something, wherever it is not escaped."""


class Page(HTMLParser):
    """The page in a file.

    Attributes:
        texts: by section, all that is to be read in it.
        images: by section, the `src` and `alt` of every picture.
        charts: by section, the specification of every chart, by its title.
        addresses: all that a browser would ask for, or lead to.
        tags: how often each element is there.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.texts: dict[str, str] = {}
        self.images: dict[str, list[tuple[str, str]]] = {}
        self.charts: dict[str, dict[str, Any]] = {}
        self.addresses: list[str] = []
        self.tags: dict[str, int] = {}
        self._section, self._inside, self._caption = "", [], ""
        self.feed(self.source)

    @cached_property
    def source(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.addresses += [given[name] for name in LEADING if name in given]
        if tag == "section":
            self._section = given["id"]
        if tag == "img":
            self.images.setdefault(self._section, []).append((given["src"], given["alt"]))
        if tag == "figcaption":
            self._caption = ""
        if tag not in VOID:
            self._inside.append("json" if given.get("type") == "application/json" else tag)

    def handle_endtag(self, tag):
        self._inside.pop()
        if tag in ("td", "th", "dt", "dd", "p"):
            self.texts[self._section] = self.texts.get(self._section, "") + " "

    def handle_data(self, data):
        if self._inside[-1:] == ["json"]:
            self.charts.setdefault(self._section, {})[self._caption] = json.loads(data)
        elif self._inside[-1:] not in (["script"], ["style"]):
            self.texts[self._section] = self.texts.get(self._section, "") + data
            self._caption += data if self._inside[-1:] == ["figcaption"] else ""


def made(folder: Path, *runs: Path) -> Page:
    """The page of runs."""
    out = folder / "page.html"
    report(runs, out)
    return Page(out)
