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
    from dalikit.inference import Model as Model
    from dalikit.interfaces import *  # noqa: F403
    from dalikit.model import load as load
    from dalikit.training import Trainer as Trainer
    from dalikit.training_run import train as train

__version__ = version("dalikit")

_HOMES = {
    "Model": "dalikit.inference",
    "Registry": "dalikit.assembly.registry",
    "TorchData": "dalikit.data.torchdata",
    "Trainer": "dalikit.training",
    "hookimpl": "dalikit.hookspecs",
    "load": "dalikit.model",
    "train": "dalikit.training_run",
}

__all__ = ["Model", "Registry", "TorchData", "Trainer", "__version__", "hookimpl", "load", "train"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if not name.startswith("_"):  # the records of the contract
        contract = import_module("dalikit.interfaces")
        if name in contract.__all__:
            return getattr(contract, name)
    raise AttributeError(f"module 'dalikit' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, *import_module("dalikit.interfaces").__all__]
