"""YAML as configurations hold it: what JSON could say too, of limited size; nothing runs or explodes."""

import re
from typing import Any

import yaml

from dalikit.errors import UserError, shortened

BYTES = 1 << 20
"""The most bytes of a document."""

DEPTH = 32
"""The most levels of lists and mappings within each other."""

VALUES = 10_000
"""The most values, each counted as often as aliases stand for it."""

BITS = 64
"""The most bits of a whole number."""

_PLAIN = {
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge")
}


def parse(text: str) -> Any:
    """The value that a YAML document stands for: made of dicts with text as keys, lists, text and numbers.

    Beside YAML 1.1 it knows the floats that people write, as `1e-4`; what looks like a date is text.

    Raises:
        UserError: it is no YAML; or it is beyond `BYTES`, `DEPTH`, `VALUES` or `BITS`, or has other tags.
    """
    if len(text) > BYTES:
        raise UserError(f"larger than {BYTES >> 20} MiB")
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(shortened(str(error))) from None
    except (
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
    ) as error:  # PyYAML's own on `!!int ''` and the like
        raise UserError(f"a value that is not what its tag says ({shortened(repr(error))})") from None


class _Loader(yaml.SafeLoader):
    """Counts values and levels as they are composed: aliases cost nothing before they are gone through."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.level = 0
        self.inside = (0, 0)  # values and levels in the node that is being composed
        self.extents: dict[int, tuple[int, int]] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node, unless with it there are too many, or too deep ones."""
        alias, mark = self.check_event(yaml.AliasEvent), self.peek_event().start_mark  # type: ignore[no-untyped-call]
        outer, self.inside = self.inside, (0, 0)
        self.level += 1
        _check_extent((0, self.level), mark)
        node = super().compose_node(parent, index)
        self.level -= 1
        if not alias:
            if node is not None and node.tag not in _PLAIN:
                raise _fault(f"tag {shortened(node.tag, 80)} means nothing here", mark)
            values, levels = self.inside
            self.extents[id(node)] = (values + 1, levels + 1)
        elif id(node) not in self.extents:
            raise _fault("an alias stands for what it is in", mark)
        values, levels = self.extents[id(node)]
        self.inside = (outer[0] + values, max(outer[1], levels))
        _check_extent((self.inside[0], self.level + levels), mark)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A dict, of text as keys alone."""
        found = super().construct_mapping(node, deep)
        for key in found:
            if not isinstance(key, str):
                raise _fault(f"key {key!r} is no text", node.start_mark)
        return found

    def construct_int(self, node: yaml.ScalarNode) -> int:
        """A whole number, of a size that everything which reads it can hold."""
        found = self.construct_yaml_int(node) if len(node.value) <= BITS + 2 else None
        if found is None or abs(found) >> BITS:
            raise _fault(f"a whole number of more than {BITS} bits", node.start_mark)
        return found


def _check_extent(extent: tuple[int, int], mark: yaml.Mark) -> None:
    values, levels = extent
    if values > VALUES:
        raise _fault(f"more than {VALUES:,} values", mark)
    if levels > DEPTH:
        raise _fault(f"more than {DEPTH} levels", mark)


def _fault(what: str, mark: yaml.Mark) -> UserError:
    return UserError(f"{what} in line {mark.line + 1}, column {mark.column + 1}")


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_int)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.\d*|\.\d+|\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
