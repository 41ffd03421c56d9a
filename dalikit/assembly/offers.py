"""What one plugin offers, checked: it is written for this API, and each of its components is one."""

import inspect
from importlib.metadata import EntryPoint
from typing import Any, cast

import pluggy

from dalikit import hookspecs
from dalikit.assembly.parameters import parameter_model
from dalikit.errors import PluginError, nearest, shortened
from dalikit.interfaces import Kind

LONGEST_NAME = 100
"""The most letters of a component's name."""

HOOK = hookspecs.dalikit_components.__name__


def offered(point: EntryPoint) -> list[Any]:
    """What a plugin's hook returns.

    Raises:
        PluginError: it is of another API, has no hook of ours, or offers nothing.
        Exception: whatever the plugin raises when it is imported or asked.
    """
    plugin = point.load()
    api = getattr(plugin, "DALIKIT_API", None)
    if api is None:
        raise PluginError(f"it does not say DALIKIT_API = {hookspecs.API_VERSION}")
    if api != hookspecs.API_VERSION:
        raise PluginError(
            f"written for API {api}, this is {hookspecs.API_VERSION}; docs/migrating.md says what to change"
        )
    manager = pluggy.PluginManager("dalikit")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        said = str(error).partition(" in plugin ")[0]  # behind which it says which module that is
        raise PluginError(f"{said}; the one that there is is called '{HOOK}'") from None
    components = [c for offered in manager.hook.dalikit_components() for c in offered]
    if not components:
        raise PluginError(_why_nothing(plugin))
    return components


def _why_nothing(plugin: Any) -> str:
    """What is wrong with a plugin whose hook is not found, or returns nothing."""
    if hasattr(plugin, HOOK):
        return f"it offers no component; is {HOOK} decorated with @hookimpl, and what does it return?"
    return f"it offers no component: it has no '{HOOK}'.{nearest(HOOK, list(vars(plugin)))}"


def called(component: Any) -> tuple[str, str] | None:
    """The kind and the name that something gives itself, whatever is wrong with it, or None."""
    kind, name = getattr(component, "kind", None), getattr(component, "name", None)
    if not isinstance(kind, Kind) or not isinstance(name, str) or not name:
        return None
    return kind.name, shortened(name, LONGEST_NAME)


def identify(component: Any) -> tuple[str, str]:
    """The kind and the name of what a plugin returned.

    Raises:
        PluginError: it is no component, is not finished, or has no name that can be printed in a line.
    """
    kind = getattr(component, "kind", None)
    if not isinstance(kind, Kind) or inspect.isclass(component) == kind.objects:
        raise PluginError(
            f"{component!r} is no subclass of a dalikit interface, and no Backbone, Recipe or Study"
        )
    if inspect.isclass(component):
        if missing := sorted(getattr(component, "__abstractmethods__", ())):
            raise PluginError(f"{component.__name__} does not define {', '.join(missing)}")
        parameter_model(cast(Any, component))
    name = getattr(component, "name", None)
    if not isinstance(name, str) or not name:
        raise PluginError(f"{component!r} has no name")
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise PluginError(
            f"its name {shortened(name)!r} is longer than {LONGEST_NAME} letters, or none to print"
        )
    return kind.name, name
