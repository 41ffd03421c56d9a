"""YAML that explodes, runs, or says what no configuration holds: refused in a line, before it is built."""

import time
from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dalikit.errors import UserError
from dalikit.runs import yamltext
from dalikit.runs.yamltext import parse


def doubled(levels, inner="x"):
    """Lists, each of which has the last one twice: 2 to the power of the levels in all."""
    lists = [f"&l0 [{inner}]", *(f"&l{n} [*l{n - 1}, *l{n - 1}]" for n in range(1, levels))]
    return f"[{', '.join(lists)}]"


def merged(levels):
    maps = ["&m0 {k0: 1}", *(f"&m{n} {{<<: [*m{n - 1}, *m{n - 1}]}}" for n in range(1, levels))]
    return f"[{', '.join(maps)}]"


REFUSED = {
    "aliases that explode": (doubled(60), "more than 10,000 values"),
    "merges that explode": (merged(60), "more than 10,000 values"),
    "many values": (f"[{'1, ' * 10_000}1]", "more than 10,000 values"),
    "deep lists": ("[" * 100_000, "more than 32 levels"),
    "deep mappings": ("{a: " * 100_000, "more than 32 levels"),
    "deep blocks": ("- " * 3000 + "1", "more than 32 levels"),
    "deep by aliases": (
        f"[&l0 [x], {', '.join(f'&l{n} [*l{n - 1}]' for n in range(1, 60))}]",
        "more than 32 levels",
    ),
    "a list in itself": ("&a [*a]", "an alias stands for what it is in"),
    "a mapping in itself": ("{x: &a {b: *a}}", "an alias stands for what it is in"),
    "code": ("!!python/object/apply:os.system ['true']", "os.system means nothing here"),
    "a tuple": ("!!python/tuple [1]", "means nothing here"),
    "a set": ("!!set {a, b}", "means nothing here"),
    "bytes": ("!!binary aGVsbG8=", "means nothing here"),
    "a moment": ("!!timestamp 2020-01-01", "means nothing here"),
    "no whole number": ("!!int ''", "not what its tag says"),
    "no truth": ("!!bool z", "not what its tag says"),
    "5,000 digits": ("9" * 5000, "a whole number of more than 64 bits"),
    "5,000 digits of base 16": ("0x" + "f" * 5000, "a whole number of more than 64 bits"),
    "65 bits": (str(1 << 64), "a whole number of more than 64 bits"),
    "a key that is a number": ("{1: 2}", "key 1 is no text"),
    "a key that is a list": ("{[1]: 2}", "unhashable key"),
    "two megabytes": ("'" + "a" * (1 << 21) + "'", "larger than 1 MiB"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what):
    text, says = REFUSED[what]
    started = time.monotonic()
    with pytest.raises(UserError, match=says) as raised:
        parse(text)
    assert time.monotonic() - started < 20  # where it exploded, the sun would not live to see it end
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500


def nested(depth, value="1"):
    return "[" * depth + value + "]" * depth


@pytest.mark.parametrize("depth", [1, yamltext.DEPTH - 1])
def test_up_to_the_limit_all_is_read(depth):
    found = parse(nested(depth))
    for _ in range(depth):
        (found,) = found
    assert found == 1
    assert parse(str((1 << 64) - 1)) == (1 << 64) - 1
    assert parse(doubled(3)) == [["x"], [["x"], ["x"]], [[["x"], ["x"]], [["x"], ["x"]]]]


def test_the_level_after_the_limit_is_refused():
    with pytest.raises(UserError, match="levels"):
        parse(nested(yamltext.DEPTH))


def test_what_looks_like_a_date_is_text():
    assert parse("[2020-01-01, 2020-13-45]") == ["2020-01-01", "2020-13-45"]


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text("ab :#'\n", max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(plain)
def test_what_json_can_say_comes_back(value):
    assert parse(yaml.safe_dump(value)) == value


@given(st.text(st.characters(codec="utf-8"), max_size=60) | st.text("[]{}&*!:-?,<> ab\n'\"|%@", max_size=60))
def test_any_text_is_read_or_refused(text):
    with suppress(UserError):  # and nothing else
        parse(text)
