"""The built-in components. Every file here is itself a plugin module, as anybody's package could hold it.

This package is the entry point through which they come: it gathers what each file offers.
"""

import importlib
import pkgutil

from dalikit.hookspecs import API_VERSION, hookimpl

DALIKIT_API = API_VERSION


@hookimpl
def dalikit_components() -> list[object]:
    """The components of every file below this folder."""
    found = pkgutil.walk_packages(__path__, prefix=f"{__name__}.")
    modules = (importlib.import_module(m.name) for m in found if not m.ispkg)
    return [component for module in modules for component in module.dalikit_components()]
