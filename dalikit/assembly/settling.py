"""Who may keep a name that several components bear, and which kinds there are."""

from collections.abc import Sequence

from dalikit.assembly.rows import OWN_DISTRIBUTION, Row
from dalikit.interfaces import Kind
from dalikit.runs.config import SECTIONS


def settled(rows: Sequence[Row]) -> list[Row]:
    """The rows, those marked that cannot be used, or by their name alone cannot be."""
    return _settle_names(_settle_kinds(rows))


def _settle_kinds(rows: Sequence[Row]) -> list[Row]:
    """Refuse components of a kind that is called as another is, or as a section of a configuration."""
    first: dict[str, Kind] = {}
    found = []
    for row in rows:
        kind = getattr(row.component, "kind", None)
        if isinstance(kind, Kind):
            known = first.setdefault(kind.name, kind)
            if known != kind:
                row = row.marked("broken", f"there is another kind '{kind.name}' already")
            elif kind.player and kind.name in SECTIONS:
                row = row.marked("broken", f"a kind cannot be called '{kind.name}', as a section is")
        found.append(row)
    return found


def _settle_names(rows: Sequence[Row]) -> list[Row]:
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
        return row if row is owners[0] else row.marked("refused", f"the name '{row.name}' is a built-in's")
    return row.marked("clash", f"also offered by {others}")
