"""The built-in components. Every file here is itself a plugin module, as anybody's package could hold it.

This package is the entry point through which they come: it gathers what each file offers. From Python they
are had by their folder, `from dalikit.components.games import GAN`.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any

from dalikit.hookspecs import API_VERSION, hookimpl

DALIKIT_API = API_VERSION


@hookimpl
def dalikit_components() -> list[object]:
    """The components of every file below this folder."""
    found = pkgutil.walk_packages(__path__, prefix=f"{__name__}.")
    modules = (importlib.import_module(m.name) for m in found if not m.ispkg)
    return [component for module in modules for component in module.dalikit_components()]


def lazily(package: str, path: Iterable[str]) -> Callable[[str], Any]:
    """A package's `__getattr__` by which the classes of its files are found when they are first asked for."""

    def find(name: str) -> Any:
        files = [file.name for file in pkgutil.iter_modules(path)]
        if not name.startswith("_") and name not in files:
            for file in files:
                module = importlib.import_module(f"{package}.{file}")
                if getattr(vars(module).get(name), "__module__", None) == module.__name__:
                    return vars(module)[name]
        raise AttributeError(f"module '{package}' has no attribute '{name}'")

    return find
