"""Parameters from a constructor's signature: checked strictly, filled in, and described."""

import json
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from dalikit.assembly.parameters import check_parameters, parameter_model, summarise
from dalikit.errors import PluginError, UserError


class Part:
    def __init__(
        self,
        supplied,
        /,
        *,
        width: Annotated[int, Field(ge=1)] = 3,
        kind: Literal["a", "b"] = "a",
        rate: float = 0.5,
        betas: tuple[float, float] = (0.5, 0.9),
        bound: float | None = None,
        flag: bool = False,
    ) -> None:
        pass


DEFAULTS = {"width": 3, "kind": "a", "rate": 0.5, "betas": (0.5, 0.9), "bound": None, "flag": False}


def test_what_is_left_out_is_filled_in():
    assert check_parameters(Part, "part", {}) == DEFAULTS
    assert check_parameters(Part, "part", {"width": 5, "bound": 2.0}) == {
        **DEFAULTS,
        "width": 5,
        "bound": 2.0,
    }


def test_a_list_serves_as_a_tuple_and_a_whole_number_as_a_float():
    found = check_parameters(Part, "part", {"betas": [0, 0.99], "rate": 2})
    assert found["betas"] == (0.0, 0.99)
    assert isinstance(found["rate"], float)


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"widht": 3}, r"part has no parameter 'widht'\. Did you mean 'width'\? It takes: width: int = 3"),
        ({"width": "3"}, r"part: parameter 'width' = '3': .*integer"),
        ({"width": 2.5}, r"'width' = 2\.5"),
        ({"width": True}, r"'width' = True"),
        ({"width": 0}, r"'width' = 0: .*greater than or equal to 1"),
        ({"kind": "c"}, r"'kind' = 'c': .*'a' or 'b'"),
        ({"rate": None}, r"'rate' = None"),
        ({"rate": float("nan")}, r"'rate'"),
        ({"betas": [0.5]}, r"'betas"),
        ({"flag": "yes"}, r"'flag' = 'yes'"),
        ({"width": {1, 2}}, r"part: "),
    ],
)
def test_what_does_not_fit_is_refused_by_name(given_, says):
    with pytest.raises(UserError, match=says):
        check_parameters(Part, "part", given_)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "width": st.integers(1, 10**9),
            "rate": st.floats(allow_nan=False, allow_infinity=False),
            "betas": st.tuples(st.floats(0, 1), st.floats(0, 1)),
            "bound": st.none() | st.floats(-1, 1),
        },
    )
)
def test_parameters_go_through_json_and_back(given_):
    once = check_parameters(Part, "part", given_)
    assert once == {**DEFAULTS, **given_}
    assert check_parameters(Part, "part", once) == once
    assert check_parameters(Part, "part", json.loads(json.dumps(once))) == once


def test_a_parameter_without_type_or_default_is_the_plugins_fault():
    class Untyped:
        def __init__(self, *, width=3) -> None:
            pass

    class Required:
        def __init__(self, *, width: int) -> None:
            pass

    for cls in (Untyped, Required):
        with pytest.raises(PluginError, match="'width' needs a type and a default"):
            parameter_model(cls)


@pytest.mark.parametrize("name", ["name", "from_run", "latent_size"])
def test_a_parameter_called_as_what_a_section_holds_itself_is_the_plugins_fault(name):
    scope: dict = {}
    exec(f"class Part:\n    def __init__(self, *, {name}: int = 1) -> None: pass", scope)
    with pytest.raises(PluginError, match=f"a parameter called '{name}' would hide"):
        parameter_model(scope["Part"])


def test_an_argument_neither_before_the_stroke_nor_after_the_star_is_the_plugins_fault():
    class Loose:
        def __init__(self, width: int = 3) -> None:
            pass

    with pytest.raises(PluginError, match=r"Loose: argument 'width' must stand before '/'.*or after '\*'"):
        parameter_model(Loose)


def test_what_a_constructor_hands_on_is_its_bases_to_take():
    class Base:
        def __init__(self, supplied, /, *, width: int = 3, flag: bool = False) -> None:
            pass

    class Derived(Base):
        def __init__(self, *supplied, flag: bool = True, extra: float = 0.5, **rest) -> None:
            super().__init__(*supplied, flag=flag, **rest)

    class Closed(Base):
        def __init__(self, supplied, /, *, extra: float = 0.5) -> None:
            super().__init__(supplied)

    assert check_parameters(Derived, "part", {}) == {"flag": True, "extra": 0.5, "width": 3}
    assert check_parameters(Closed, "part", {}) == {"extra": 0.5}


def test_the_summary_is_written_as_people_write_types():
    assert summarise(Part) == (
        "width: int = 3, kind: 'a' | 'b' = 'a', rate: float = 0.5, "
        "betas: tuple[float, float] = (0.5, 0.9), bound: float | None = None, flag: bool = False"
    )
    assert summarise(object) == "nothing"
