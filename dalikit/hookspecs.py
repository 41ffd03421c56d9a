"""The one hook through which every component, built-in or not, comes to dalikit.

A plugin is a module that an entry point of the group `dalikit` names. It says `DALIKIT_API = 2` and
implements `dalikit_components`.
"""

from collections.abc import Callable, Sequence

import pluggy

API_VERSION = 2
"""The contract's version; a plugin states the one it was written for as `DALIKIT_API`."""

ENTRY_POINT_GROUP = "dalikit"

PLUGINS_VARIABLE, STRICT_VARIABLE = "DALIKIT_PLUGINS", "DALIKIT_STRICT"
"""Of the environment: which plugins are loaded, and whether anything broken ends the command."""

hookspec = pluggy.HookspecMarker("dalikit")
hookimpl = pluggy.HookimplMarker("dalikit")


@hookspec
def dalikit_components() -> Sequence[object]:  # type: ignore[empty-body]
    """Return the plugin's components.

    Returns:
        Subclasses of the ABCs in `dalikit.interfaces`, each with a `name`; and `Recipe` and `Backbone`
        objects. The ABC tells the kind, so a new kind never changes this hook.
    """


def offer(*components: object) -> Callable[[], Sequence[object]]:
    """The hook's implementation that returns `components`: `dalikit_components = offer(MyGame)`."""

    @hookimpl
    def dalikit_components() -> Sequence[object]:
        return components

    return dalikit_components
