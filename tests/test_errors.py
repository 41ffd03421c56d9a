"""Whatever a message is about, it is one line of limited length that can be printed."""

from hypothesis import given
from hypothesis import strategies as st

from dalikit.errors import nearest, shortened


@given(st.text(), st.integers(9, 300), st.integers(1, 50))
def test_a_text_becomes_one_short_line_that_can_be_printed(text, most, times):
    found = shortened(text * times, most)
    assert len(found) <= most
    assert found.isprintable()


@given(st.text("abc", max_size=200))
def test_what_is_short_and_plain_stays(text):
    assert shortened(text) == text


def test_of_a_long_text_both_ends_are_told():
    found = shortened("begin " + "x" * 10_000 + " end")
    assert found.startswith("begin x")
    assert found.endswith("x end")
    assert " … " in found


def test_what_a_terminal_would_obey_is_escaped():
    assert shortened("\x1b[2J \u202e \udcff") == r"\x1b[2J \u202e \udcff"


def test_a_name_of_a_megabyte_has_no_neighbours_but_an_answer():
    assert nearest("x" * 1_000_000, ["digits"]) == ""
