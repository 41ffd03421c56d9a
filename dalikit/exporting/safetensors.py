"""Weights alone, as safetensors: `rebuild` makes the networks from export.json, and needs dalikit.

Nothing in either file is run.
"""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from torch import Tensor

from dalikit.assembly import build, checking
from dalikit.assembly.inventory import check_here
from dalikit.assembly.registry import Registry
from dalikit.errors import UnfitError, UserError, shortened
from dalikit.exporting.facts import ExportFacts
from dalikit.exporting.formats import Exported, Format, torch_call
from dalikit.exporting.parts import PARTS, Part, part_of
from dalikit.plainfiles import open_plain
from dalikit.runs.config import merge
from dalikit.runs.folders import save_tensors
from dalikit.training.restoring import check_tensors

SUFFIX = ".safetensors"


def save(part: Part, folder: Path) -> None:
    """Write the tensors that the part computes with, by their names in the method."""
    save_tensors(part.method.state_dict(), folder / f"{part.name}{SUFFIX}")


def load(folder: Path, name: str) -> Exported:
    """The part in a folder, built again."""
    return rebuild(folder, name)


def rebuild(folder: str | Path, name: str, registry: Registry | None = None) -> Part:
    """A part that was exported as safetensors, as a module: tensors in, tensors by name out.

    Args:
        folder: where it was exported to.
        name: "generator", "encoder" or "both".
        registry: the components to build it from; all installed ones by default.

    Raises:
        UserError: it is no such export, is damaged, or needs a component that is not installed.
    """
    folder, known = Path(folder), registry or Registry.discover()
    facts = ExportFacts.read(folder)
    if name not in facts.parts or name not in PARTS:
        raise UserError(f"{folder} holds no {name}: it has {', '.join(facts.parts)}")
    check_here(f"{folder}", facts.components, known)
    config = checking.check_players(merge([facts.settings]), known)
    method = build.make_method(config, facts.data.spec, known, borrow=False)
    tensors = _tensors(folder / f"{name}{SUFFIX}", part_of(method, name))
    method.load_state_dict(tensors, strict=False)
    return part_of(method, name)


def _tensors(path: Path, part: Part) -> dict[str, Tensor]:
    """Those in a file, which are the part's."""
    try:
        with open_plain(path) as file:
            found = read_tensors(file.read())
        check_tensors(part.method.state_dict(), found)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except (SafetensorError, UnfitError) as error:
        raise UserError(f"{path} is damaged: {shortened(str(error))}") from None
    return found


def call(part: Part) -> list[str]:
    """Lines of Python that build the part again and run it."""
    return [f'{part.name} = rebuild(".", "{part.name}")', *torch_call(part)]


SAFETENSORS = Format(
    "safetensors",
    "weights as safetensors",
    SUFFIX,
    save,
    load,
    ("import torch", "from dalikit.exporting import rebuild"),
    call,
)
