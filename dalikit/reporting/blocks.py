"""What a section of the page is made of. Plain values: `templates/page.html` says how each looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Block:
    """Anything that stands in a section; `kind` names the macro that draws it."""

    kind: ClassVar[str]


@dataclass(frozen=True)
class Prose(Block):
    """A paragraph."""

    kind = "prose"
    text: str


@dataclass(frozen=True)
class Note(Block):
    """A sentence on what is missing, and why."""

    kind = "note"
    text: str


@dataclass(frozen=True)
class Picture(Block):
    """A picture: `src` is a data URI, `width` is in pixels of the page, `alt` says what is to be seen."""

    kind = "picture"
    src: str
    alt: str
    width: int
    caption: str = ""


@dataclass(frozen=True)
class Pair:
    """Two pictures to be held against each other, and what is said below them."""

    left: Picture
    right: Picture
    caption: str


@dataclass(frozen=True)
class Pairs(Block):
    """Pairs, as many beside each other as there is room for."""

    kind = "pairs"
    pairs: Sequence[Pair]


@dataclass(frozen=True)
class Frame:
    """What a slider shows at one place."""

    label: str
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Slider(Block):
    """Frames of which one is to be seen, the last one first; `label` says what the slider moves through."""

    kind = "slider"
    label: str
    frames: Sequence[Frame]


@dataclass(frozen=True)
class Chart:
    """A chart; `spec` is Vega-Lite's, `alt` says in words what is drawn."""

    title: str
    spec: Mapping[str, Any]
    alt: str


@dataclass(frozen=True)
class Charts(Block):
    """Charts under a title, small ones beside each other, or `large` ones below each other."""

    kind = "charts"
    title: str
    charts: Sequence[Chart]
    large: bool = False


@dataclass(frozen=True)
class Table(Block):
    """A table of text; cells from the column `numbers` on are set to the right."""

    kind = "table"
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    numbers: int = 1_000


@dataclass(frozen=True)
class Facts(Block):
    """Names with what they are; `short` ones stand in two columns where there is room."""

    kind = "facts"
    facts: Mapping[str, str]
    short: bool = False


@dataclass(frozen=True)
class Figures(Block):
    """A few numbers that matter most, each with what it is of."""

    kind = "figures"
    figures: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Folded(Block):
    """Blocks that are to be seen once somebody asks for them; `opened` ones at once, on a page of one run."""

    kind = "folded"
    title: str
    blocks: Sequence[Block]
    opened: bool = False
