"""What a component's constructor takes, as a strict pydantic model made from its own signature."""

import inspect
import json
from collections.abc import Callable, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from dalikit.errors import PluginError, UserError, nearest


@cache
def parameter_model(build: Callable[..., Any]) -> type[BaseModel]:
    """The strict model of the keyword-only arguments that `build` (a class or a function) takes.

    Raises:
        PluginError: an argument has no type, or no default.
    """
    function = build.__init__ if inspect.isclass(build) else build
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        if parameter.default is inspect.Parameter.empty or parameter.name not in hints:
            raise PluginError(
                f"{build.__module__}.{build.__qualname__}: parameter '{parameter.name}' needs a type and "
                "a default, for users set it by name"
            )
        fields[parameter.name] = (hints[parameter.name], parameter.default)
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())
    return create_model(build.__qualname__, __config__=config, **fields)


def validated(build: Callable[..., Any], owner: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """All the parameters `build` takes: those `given`, checked, and the defaults of the others.

    `owner` names the component in errors, e.g. "posterior 'diag'".

    Raises:
        UserError: a parameter is unknown or of the wrong type.
    """
    model = parameter_model(build)
    try:
        # By way of JSON, where a list may be a tuple but "3" is never 3.
        values = model.model_validate_json(json.dumps(dict(given)))
    except ValidationError as error:
        raise UserError(_first_fault(owner, model, error)) from None
    except (TypeError, ValueError) as error:  # no JSON: a set, a list that holds itself
        raise UserError(f"{owner}: {error}") from None
    return {name: getattr(values, name) for name in model.model_fields}


def jsonable(build: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of `build` as JSON holds them, tuples as lists."""
    return parameter_model(build).model_construct(**values).model_dump(mode="json")


def summary(build: Callable[..., Any]) -> str:
    """The parameters `build` takes, as one line.

    Examples:
        >>> def paint(*, width: int = 3, colour: str | None = None): ...
        >>> summary(paint)
        'width: int = 3, colour: str | None = None'
    """
    return _summary(parameter_model(build)) or "nothing"


def _summary(model: type[BaseModel]) -> str:
    return ", ".join(
        f"{n}: {_type_name(f.annotation)} = {f.default!r}" for n, f in model.model_fields.items()
    )


def _type_name(annotation: Any) -> str:
    """A type as people write it, without the bounds that pydantic checks."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(arguments[0])
    if origin is Literal:
        return " | ".join(repr(choice) for choice in arguments)
    if origin in (Union, UnionType):
        return " | ".join(_type_name(choice) for choice in arguments)
    if annotation is Ellipsis:
        return "..."
    name = "None" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))
    return f"{name}[{', '.join(map(_type_name, arguments))}]" if arguments else name


def _first_fault(owner: str, model: type[BaseModel], error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    takes = _summary(model) or "nothing"
    if fault["type"] == "extra_forbidden":
        hint = nearest(place, list(model.model_fields))
        return f"{owner} has no parameter '{place}'.{hint} It takes: {takes}"
    return f"{owner}: parameter '{place}' = {fault['input']!r}: {fault['msg']}. It takes: {takes}"
