"""The folders of a run that hold weights, one a step: listed, written whole or not at all, and read back."""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from dalikit.errors import RunError, UserError
from dalikit.files import EARLIER, whole_folder_or_not
from dalikit.runs.manifest import MANIFEST, DamagedError, Manifest, facts_of

Read = TypeVar("Read")

ATTEMPTS = 20
"""How often a reader looks again where the trainer has dropped what it was about to read."""


def step_of(path: Path) -> int:
    """The step in the name of a folder or a picture."""
    return int(path.name.removeprefix("step-").partition(".")[0])


def pictures(parent: Path) -> list[Path]:
    """The pictures of steps in `parent`, the first step first."""
    found = (path for path in parent.glob("step-*.png") if re.fullmatch(r"step-\d+\.png", path.name))
    return sorted(found, key=step_of)


def folders(parent: Path) -> list[Path]:
    """The folders of steps in `parent`, the first step first; where one is being replaced, the old one."""
    names = {path.name for path in parent.glob("step-*")}
    found = [name for name in names if re.fullmatch(r"step-\d+", name.removesuffix(EARLIER))]
    there = [name for name in found if not name.endswith(EARLIER) or name.removesuffix(EARLIER) not in names]
    return sorted((parent / name for name in there), key=step_of)


@contextmanager
def written(target: Path, manifest: Manifest) -> Iterator[Path]:
    """A folder to write into, which becomes `target`, with its manifest, when the block ends soundly.

    Raises:
        RunError: it cannot be written.
    """
    try:
        with whole_folder_or_not(target) as unfinished:
            yield unfinished
            whole = manifest.model_copy(update={"files": dict(facts_of(unfinished))})
            (unfinished / MANIFEST).write_text(whole.text(), encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise RunError(f"Cannot write checkpoint {target}: {error}") from None


def newest(parent: Path, run: str, read: Callable[[Path, Manifest], Read]) -> Read | None:
    """What is read of the newest folder that is whole and of the `run` of this identity; None of none.

    One that is not so is warned of, and the one before it is taken.

    Raises:
        UserError: none of them is whole.
    """
    for _ in range(ATTEMPTS):
        faults: list[str] = []
        for folder in reversed(folders(parent)):
            try:
                found = _checked(folder, run, read)
            except DamagedError as error:
                if not folder.exists():  # the trainer has dropped it since it was listed
                    break
                faults.append(str(error))
                continue
            if faults:
                warnings.warn(
                    f"Run {parent.parent} is damaged: {'; '.join(faults)}: {parent.name}/{folder.name} is "
                    "taken in its place",
                    stacklevel=3,
                )
            return found
        else:
            if faults:
                raise UserError(f"Run {parent.parent} is damaged: {'; '.join(faults)}")
            return None
    raise UserError(f"Run {parent.parent} cannot be read: its {parent.name} change faster than they are read")


def _checked(folder: Path, run: str, read: Callable[[Path, Manifest], Read]) -> Read:
    manifest = Manifest.read(folder)
    if fault := manifest.unfit(folder, run):
        raise DamagedError(fault)
    return read(folder, manifest)


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors as safetensors."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


def load_tensors(folder: Path, manifest: Manifest, name: str) -> dict[str, Tensor]:
    """The tensors in a file of the folder, which are what was written.

    Raises:
        DamagedError: they are not.
    """
    try:
        return load(manifest.content(folder, name))
    except SafetensorError as error:
        raise DamagedError(f"{folder.name}/{name}: {error}") from None
