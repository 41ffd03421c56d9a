"""What a component's constructor takes, as a strict pydantic model made from its own signature."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from dalikit.errors import PluginError, UserError, nearest, shortened

Parameter = inspect.Parameter

RESERVED = ("name", "from_run", "latent_size")
"""What a section of a configuration holds beside its component's parameters."""


@cache
def parameter_model(build: Callable[..., Any]) -> type[BaseModel]:
    """The strict model of the keyword-only arguments that `build` (a class or a function) takes.

    What a constructor hands on by `**` is its base's to take. A model stands for itself.

    Raises:
        PluginError: an argument is called as what a section holds itself (`name`), has no type or no default,
            or stands neither before `/` nor after `*`.
    """
    if inspect.isclass(build) and issubclass(build, BaseModel):
        return build
    fields: dict[str, Any] = {}
    for function in _functions(build):
        hints = get_type_hints(function, include_extras=True)
        for parameter in _own_parameters(function, build):
            if parameter.name in RESERVED:
                raise PluginError(
                    f"{_place(build)}: a parameter called '{parameter.name}' would hide the section's own"
                )
            if parameter.default is Parameter.empty or parameter.name not in hints:
                raise PluginError(
                    f"{_place(build)}: parameter '{parameter.name}' needs a type and a default, for users "
                    "set it by name"
                )
            fields.setdefault(parameter.name, (hints[parameter.name], parameter.default))
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())
    return create_model(build.__qualname__, __config__=config, **fields)


def supplied_to(build: type) -> int:
    """How many arguments a component's constructor takes before its `/`."""
    parameters = inspect.signature(next(_functions(build))).parameters.values()
    own = [p for p in parameters if p.kind is Parameter.POSITIONAL_ONLY]
    return len(own) - 1 if own and own[0].name == "self" else len(own)


def _functions(build: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """The constructors of a class, as far up as each hands arguments on; or the function itself."""
    if not inspect.isclass(build):
        yield build
        return
    for base in build.__mro__:
        if "__init__" in vars(base):
            constructor = vars(base)["__init__"]
            yield constructor
            kinds = {p.kind for p in inspect.signature(constructor).parameters.values()}
            if Parameter.VAR_KEYWORD not in kinds:
                return


def _own_parameters(function: Callable[..., Any], build: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    for parameter in inspect.signature(function).parameters.values():
        loose = parameter.kind is Parameter.POSITIONAL_OR_KEYWORD and parameter.name != "self"
        if loose and inspect.isclass(build):
            raise PluginError(
                f"{_place(build)}: argument '{parameter.name}' must stand before '/', where dalikit supplies "
                "it, or after '*', where users set it"
            )
        if parameter.kind is Parameter.KEYWORD_ONLY:
            yield parameter


def _place(build: Callable[..., Any]) -> str:
    return f"{build.__module__}.{build.__qualname__}"


def check_parameters(build: Callable[..., Any], owner: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """All the parameters `build` takes: those `given`, checked, and the defaults of the others.

    `owner` names the component in errors, e.g. "posterior 'diag'".

    Raises:
        UserError: a parameter is unknown or of the wrong type.
    """
    model = parameter_model(build)
    try:
        # By way of JSON, where a list may be a tuple but "3" is never 3.
        values = model.model_validate_json(json.dumps(dict(given), default=_plain))
    except ValidationError as error:
        raise UserError(_first_fault(owner, model, error)) from None
    except (TypeError, ValueError) as error:  # no JSON: a set, a list that holds itself
        raise UserError(f"{owner}: {shortened(str(error))}") from None
    return {name: getattr(values, name) for name in model.model_fields}


def _plain(value: Any) -> Any:
    """A value that JSON does not know as one that it does: what has been checked once may be again."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{shortened(repr(value))} is no value that a file could hold")


def summarise(build: Callable[..., Any]) -> str:
    """The parameters `build` takes, as one line.

    Examples:
        >>> def paint(*, width: int = 3, colour: str | None = None): ...
        >>> summarise(paint)
        'width: int = 3, colour: str | None = None'
    """
    return _summarise(parameter_model(build)) or "nothing"


def _summarise(model: type[BaseModel]) -> str:
    return ", ".join(
        f"{n}: {type_name(f.annotation)} = {default_text(f.default)}" for n, f in model.model_fields.items()
    )


def default_text(value: Any) -> str:
    """A default as people write it."""
    return repr(value.model_dump() if isinstance(value, BaseModel) else value)


def type_name(annotation: Any) -> str:
    """A type as people write it, without the bounds that pydantic checks."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_name(arguments[0])
    if origin is Literal:
        return " | ".join(repr(choice) for choice in arguments)
    if origin in (Union, UnionType):
        return " | ".join(type_name(choice) for choice in arguments)
    if annotation is Ellipsis:
        return "..."
    name = "None" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))
    return f"{name}[{', '.join(map(type_name, arguments))}]" if arguments else name


def _first_fault(owner: str, model: type[BaseModel], error: ValidationError) -> str:
    fault = error.errors()[0]
    place = shortened(".".join(str(part) for part in _without_choices(fault["loc"], model)))
    takes = _summarise(model) or "nothing"
    if fault["type"] == "extra_forbidden":
        hint = nearest(place, list(model.model_fields))
        return f"{owner} has no parameter '{place}'.{hint} It takes: {takes}"
    return (
        f"{owner}: parameter '{place}' = {shortened(repr(fault['input']))}: {fault['msg']}. It takes: {takes}"
    )


def _without_choices(place: tuple[int | str, ...], model: type[BaseModel]) -> tuple[int | str, ...]:
    """The place of a fault without the names that pydantic gives to what a parameter may be one of."""
    field = model.model_fields.get(str(place[0])) if place else None
    kinds = get_args(field.annotation) if field and get_origin(field.annotation) in (Union, UnionType) else ()
    return place[:1] if len([kind for kind in kinds if kind is not type(None)]) > 1 else place
