"""Whether this machine is fit: all that a run needs besides its own folder, and what of it is broken."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dalikit.data import prepared
from dalikit.inspection import machine, stores
from dalikit.inspection.machine import Device, Folder
from dalikit.inspection.plugins import Plugin, plugins
from dalikit.inspection.stores import Prepared, Weights

DATA_ROOT = "data root"


@dataclass(frozen=True)
class Diagnosis:
    """What there is on a machine: see `machine`, `plugins` and `stores`."""

    versions: dict[str, str | None]
    devices: list[Device]
    threads: dict[str, int | str | None]
    folders: list[Folder]
    plugins: list[Plugin]
    prepared: list[Prepared]
    weights: list[Weights]

    @property
    def faults(self) -> list[str]:
        """What is broken, a line each. What is merely not there, or slow, is not."""
        return list(self._faults())

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"sound": not self.faults, "faults": self.faults, **asdict(self)}

    def _faults(self) -> Iterator[str]:
        for plugin in self.plugins:
            for fault in plugin.faults:
                yield f"plugin '{plugin.plugin}' of {plugin.distribution} {plugin.version}: {fault}"
        for folder in self.folders:
            if folder.what == DATA_ROOT and folder.wrong:
                yield f"data root {folder.path}: nothing can be written there: {folder.wrong}"
        yield from (f"device {each.device}: {each.wrong}" for each in self.devices if each.wrong)
        yield from (each.wrong for each in self.prepared if each.wrong)
        yield from (each.detail for each in self.weights if each.state == "damaged")


def diagnose(data_root: str | Path | None = None) -> Diagnosis:
    """Look at this machine; nothing is fetched, and what is written to try folders is gone afterwards.

    Args:
        data_root: where data sets lie; `DALIKIT_DATA`, else `data` in the current folder, unless given.
    """
    root = prepared.data_root() if data_root is None else Path(data_root)
    return Diagnosis(
        versions=machine.versions(),
        devices=machine.devices(),
        threads=machine.threads(),
        folders=[machine.folder(DATA_ROOT, root), machine.folder("current folder", Path())],
        plugins=plugins(),
        prepared=stores.prepared_files(root),
        weights=stores.weights(root),
    )
