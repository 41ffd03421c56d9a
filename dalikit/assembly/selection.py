"""Which plugins are loaded: all, unless the environment names those that are, or are not, to be.

    DALIKIT_PLUGINS=dalikit-hello,dalikit-flow    these, and what is built in
    DALIKIT_PLUGINS=-dalikit-slow                 all but this one
    DALIKIT_STRICT=1                              anything broken ends the command

It is the environment, so that whatever a command starts does likewise.
"""

import os
import re
from collections.abc import Collection, Iterable
from importlib.metadata import EntryPoint

from dalikit.assembly.rows import OWN_DISTRIBUTION, distribution_of
from dalikit.errors import UserError, nearest
from dalikit.hookspecs import PLUGINS_VARIABLE, STRICT_VARIABLE


def strict() -> bool:
    """Whether anything broken is to end the command, unless who asks says so himself."""
    return os.environ.get(STRICT_VARIABLE, "") not in ("", "0")


def canonical(name: str) -> str:
    """A distribution's name as it is compared.

    Examples:
        >>> canonical("My.Plug_in")
        'my-plug-in'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def divided(points: Iterable[EntryPoint]) -> tuple[list[EntryPoint], list[EntryPoint]]:
    """The entry points that are to be loaded, and those that are left out.

    Raises:
        UserError: the variable names a plugin that is not there.
    """
    everyone = list(points)
    said = [word.strip() for word in os.environ.get(PLUGINS_VARIABLE, "").split(",") if word.strip()]
    only = [word for word in said if not word.startswith("-")]
    without = [word.removeprefix("-") for word in said if word.startswith("-")]
    known = sorted({distribution_of(point) for point in everyone})
    for name in (*only, *without):
        if not any(_names(name, point) for point in everyone):
            there = f"{nearest(name, known)} Installed: {', '.join(known)}"
            raise UserError(f"{PLUGINS_VARIABLE} or --no-plugin: no plugin is called '{name}'.{there}")
    wanted = [_wanted(point, only, without) for point in everyone]
    return (
        [point for point, loaded in zip(everyone, wanted, strict=True) if loaded],
        [point for point, loaded in zip(everyone, wanted, strict=True) if not loaded],
    )


def _wanted(point: EntryPoint, only: Collection[str], without: Collection[str]) -> bool:
    if distribution_of(point) == OWN_DISTRIBUTION:
        return True
    named = not only or any(_names(name, point) for name in only)
    return named and not any(_names(name, point) for name in without)


def _names(name: str, point: EntryPoint) -> bool:
    """Whether a point is of the distribution called so, or is called so itself."""
    return canonical(name) == canonical(distribution_of(point)) or name == point.name
