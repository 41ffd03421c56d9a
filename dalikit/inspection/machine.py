"""The machine: versions, devices, threads, and the folders that are written into."""

import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from dalikit.assembly.devices import find_device
from dalikit.errors import UserError
from dalikit.runs.lock import lockable

PACKAGES = (
    "dalikit",
    "torch",
    "torchvision",
    "torch-fidelity",
    "numpy",
    "pillow",
    "safetensors",
    "scikit-learn",
)
"""Whose versions are told of; numbers repeat from machine to machine where the first are the same."""

OPTIONAL = ("pyarrow", "onnx", "onnxscript", "onnxruntime", "huggingface-hub", "imageio-ffmpeg")
"""Those that extras bring."""


@dataclass(frozen=True)
class Device:
    """What can be computed on: its name, its memory in bytes, and why it cannot be used, or ""."""

    device: str
    name: str
    memory: int | None
    wrong: str = ""


@dataclass(frozen=True)
class Folder:
    """A folder that is written into.

    Attributes:
        what: it is for.
        path: as it was given.
        there: whether it is there; where not, the rest is of the nearest folder above it that is.
        wrong: why nothing can be written there, or "".
        locks: whether files can be locked, so that one process at a time trains a run there.
        free: bytes, where that is known.
    """

    what: str
    path: str
    there: bool
    wrong: str
    locks: bool
    free: int | None


def versions() -> dict[str, str | None]:
    """Python's, the packages' and the platform's; None of a package that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version(), "platform": platform.platform()}
    for name in (*PACKAGES, *OPTIONAL):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found | {"torch": str(torch.__version__)}  # which says for which devices it was built


def devices() -> list[Device]:
    """The CPU, and every GPU that torch sees; each is tried."""
    found = [Device("cpu", platform.processor() or platform.machine(), _memory())]
    for index in range(torch.cuda.device_count()):
        name = f"cuda:{index}"
        try:
            facts = torch.cuda.get_device_properties(index)
            find_device(name)
            found.append(Device(name, facts.name, facts.total_memory))
        except (UserError, RuntimeError, AssertionError) as error:
            found.append(Device(name, "", None, " ".join(str(error).split())))
    if torch.backends.mps.is_available():
        found.append(Device("mps", "Apple GPU", None))
    return found


def threads() -> dict[str, int | str | None]:
    """CPUs that there are and that this process may use, and the threads that torch computes with."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpus": os.cpu_count(),
        "usable": usable,
        "torch": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
    }


def folder(what: str, path: Path) -> Folder:
    """What can be done in a folder, which is tried with a file that is gone again afterwards."""
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    wrong, locks = "", False
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".dalikit-doctor-") as probe:
            locks = lockable(Path(probe.name))
    except OSError as error:
        wrong = error.strerror or str(error)
    try:
        free = shutil.disk_usage(place).free
    except OSError:  # of a file system that does not say
        free = None
    return Folder(what, str(path), path.is_dir(), wrong, locks, free)


def _memory() -> int | None:
    """Bytes of memory, where the system says."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return None
