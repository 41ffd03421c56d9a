"""What a kind of component is: the row that its base class carries, and that everybody else reads."""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Kind:
    """All that configuration, resolution, building and the command line know of a kind of component.

    A base class that bears one as `kind` makes a new kind, wherever that class comes from.

    Attributes:
        name: what sections of a configuration, roles and errors call it.
        supplied: what dalikit hands to a constructor before its `/`, in this order; one may take fewer.
        default: the component that is taken where none is named.
        player: whether it is what a method's role asks for, with a section of its own in a configuration.
        network: whether the backbone names it where nobody does.
        objects: whether its components are objects, with nothing to construct.
        settings: what its section may hold that is no parameter of the component: `latent_size`, and
            `from_run` where it may come from another run.
        template: of what `dalikit plugins new` makes a package of this kind: a folder of a package,
            `package:folder`; dalikit's own kinds have theirs in `dalikit.scaffolding`.
    """

    name: str
    supplied: tuple[str, ...] = ()
    default: str | None = None
    player: bool = False
    network: bool = False
    objects: bool = False
    settings: tuple[str, ...] = ()
    template: str = ""


def as_slot(value: Any) -> Any:
    """A component by its name alone, as `{name: …}`; anything else as it is.

    Examples:
        >>> as_slot("gan"), as_slot({"name": "gan", "r1": 0.1})
        ({'name': 'gan'}, {'name': 'gan', 'r1': 0.1})
    """
    return {"name": value} if isinstance(value, str) else value


class Component:
    """What every component has: its kind, by its base class, and the name that users call it by."""

    kind: ClassVar[Kind]
    name: ClassVar[str]
    origin: ClassVar[str] = ""
    """The distribution it came from, and its version; the registry knows."""


def describe(component: object) -> str:
    """A component for an error's text: its kind, its name, and the package it came from unless a built-in's.

    What is composed of a component is told of as that (`described`).

    Examples:
        >>> class Game(Component):
        ...     kind, name, origin = Kind("game"), "toy", "toys 0.1"
        >>> describe(Game())
        "game 'toy' of toys 0.1"
    """
    component = getattr(component, "described", component)
    kind, name = getattr(component, "kind", None), getattr(component, "name", type(component).__name__)
    origin = getattr(component, "origin", "")
    source = f" of {origin}" if origin and not origin.startswith("dalikit ") else ""
    return f"{kind.name if isinstance(kind, Kind) else 'player'} '{name}'{source}"
