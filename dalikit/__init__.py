"""dalikit: adversarial generative models that can also infer.

Names are resolved when they are first used, so that importing dalikit imports no torch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dalikit.assembly.registry import Registry as Registry
    from dalikit.data.torchdata import TorchData as TorchData
    from dalikit.hookspecs import hookimpl as hookimpl
    from dalikit.model import Model as Model
    from dalikit.model import load as load
    from dalikit.training import Trainer as Trainer

__version__ = version("dalikit")

_HOMES = {
    "Model": "dalikit.model",
    "load": "dalikit.model",
    "Registry": "dalikit.assembly.registry",
    "TorchData": "dalikit.data.torchdata",
    "Trainer": "dalikit.training",
    "hookimpl": "dalikit.hookspecs",
}

__all__ = ["Model", "Registry", "TorchData", "Trainer", "__version__", "hookimpl", "load"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dalikit' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
