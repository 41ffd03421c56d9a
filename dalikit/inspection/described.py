"""A component as its author describes it: parameters, the paper, where it comes from."""

import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from types import ModuleType
from typing import Any

from pydantic.fields import FieldInfo

from dalikit.assembly.offers import HOOK
from dalikit.assembly.parameters import default_text, parameter_model, type_name
from dalikit.assembly.registry import Row

BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "a multiple of"}


@dataclass(frozen=True)
class ParameterFacts:
    """What a user may set: its type with its bounds, its default, and what its author says of it."""

    name: str
    type: str
    default: str
    doc: str


@dataclass(frozen=True)
class ComponentDescription:
    """A component as `dalikit plugins info` shows it.

    Attributes:
        kind, name: by which it is had.
        distribution, version, plugin: where it comes from, and by which entry point.
        state, detail: whether it can be used, and why not.
        summary: what it is, in its author's words; a line for each paragraph.
        source: the paper, or what else it follows.
        parameters: what users may set.
        content: of an object (Backbone, Recipe, Study) what it holds, by name.
        file: in which it lies.
    """

    kind: str
    name: str
    distribution: str
    version: str
    plugin: str
    state: str
    detail: str
    summary: str
    source: str
    parameters: tuple[ParameterFacts, ...]
    content: Mapping[str, str]
    file: str

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def described(row: Row) -> ComponentDescription:
    """What is known of a component that is there, or of a plugin that could not be used."""
    names = ("kind", "name", "distribution", "version", "plugin", "state", "detail")
    facts = {name: getattr(row, name) for name in names}
    component = row.component
    module = _module_of(component)
    told = inspect.cleandoc(getattr(module, "__doc__", None) or "")
    file = getattr(module, "__file__", None) or ""
    if component is None:
        return ComponentDescription(**facts, summary="", source="", parameters=(), content={}, file=file)
    if not inspect.isclass(component):
        content = dict(_content(component))
        summary, source = content.pop("description", ""), content.pop("stands_for", "") or _source(told)
        return ComponentDescription(
            **facts, summary=summary, source=source, parameters=(), content=content, file=file
        )
    own = inspect.cleandoc(component.__doc__ or "")
    parameters = tuple(_parameters(component)) if row.state in ("ok", "clash") else ()
    source = _source(own) or _source(told)
    return ComponentDescription(
        **facts, summary=_prose(own), source=source, parameters=parameters, content={}, file=file
    )


def _module_of(component: Any) -> ModuleType | None:
    """The module that a component is written in; that of an object is the one that offers it.

    dalikit's own are offered by their files, and gathered by a package above them that offers all.
    """
    if inspect.isclass(component):
        return sys.modules.get(component.__module__)
    known = [module for module in list(sys.modules.values()) if hasattr(module, "DALIKIT_API")]
    plugins = [module for module in known if callable(vars(module).get(HOOK))]
    offering = [module for module in plugins if any(each is component for each in vars(module)[HOOK]())]
    return offering[-1] if offering else None


def _parameters(component: type) -> Iterator[ParameterFacts]:
    docs: dict[str, str] = {}
    for base in component.__mro__:
        for owner in (base, vars(base).get("__init__")):
            docs = {**arguments(getattr(owner, "__doc__", None) or ""), **docs}
    for name, field in parameter_model(component).model_fields.items():
        yield ParameterFacts(name, _type(field), default_text(field.default), docs.get(name, ""))


def _type(field: FieldInfo) -> str:
    """The type of a parameter with its bounds: `float ≥ 0`."""
    found = [(sign, getattr(each, name, None)) for each in field.metadata for name, sign in BOUNDS.items()]
    bounds = ", ".join(f"{sign} {value:g}" for sign, value in found if value is not None)
    return f"{type_name(field.annotation)}{' ' if bounds else ''}{bounds}"


def arguments(docstring: str) -> dict[str, str]:
    """What a docstring's `Args:` say, by name; one line may be of several names.

    Examples:
        >>> arguments('''Does.
        ...
        ...     Args:
        ...         low, high: the ends
        ...             of it.
        ...         n: how many.
        ...
        ...     Raises:
        ...         ValueError: never.
        ... ''')
        {'low': 'the ends of it.', 'high': 'the ends of it.', 'n': 'how many.'}
    """
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", inspect.cleandoc(docstring), flags=re.MULTILINE)
    if section is None:
        return {}
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?= {4}\S)", section.group(1)):
        names, colon, text = " ".join(entry.split()).partition(": ")
        if colon:
            found |= dict.fromkeys(re.split(r",\s*", names), text)
    return found


def _prose(text: str) -> str:
    """What is said before the first section (`Args:` and the like), a line for each paragraph."""
    said = re.split(
        r"^(?:Args|Attributes|Raises|Returns|Examples|Sources?):", text, maxsplit=1, flags=re.MULTILINE
    )
    return "\n".join(" ".join(paragraph.split()) for paragraph in said[0].strip().split("\n\n"))


def _source(text: str) -> str:
    """The paragraph that begins with `Source:`."""
    found = re.search(r"^Sources?:\s*(.*?)(?:\n\n|\Z)", text, flags=re.DOTALL | re.MULTILINE)
    return " ".join(found.group(1).split()) if found else ""


def _content(component: object) -> Iterator[tuple[str, str]]:
    """The fields of an object, but for its name, in a few words each."""
    assert is_dataclass(component)
    for field in fields(component):
        value = getattr(component, field.name)
        if field.name == "name" or value in (None, (), {}, False):
            continue
        if isinstance(value, str | bool | int | float):
            yield field.name, str(value)
        elif isinstance(value, Mapping) and field.name == "settings":
            yield field.name, json.dumps(value, default=list, ensure_ascii=False)
        else:
            sentences = any(isinstance(each, str) and each.endswith(".") for each in value)
            yield (
                field.name,
                (" " if sentences else ", ").join(str(getattr(each, "name", each)) for each in value),
            )
