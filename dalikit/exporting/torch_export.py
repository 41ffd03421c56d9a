"""Programs of torch.export, for Python with torch alone: `torch.export.load(FILE).module()`."""

from pathlib import Path

import torch

from dalikit.exporting.formats import Exported, Format, torch_call
from dalikit.exporting.parts import Part
from dalikit.exporting.tracing import trace

SUFFIX = ".pt2"


def save(part: Part, folder: Path) -> None:
    """Write the part's program; raises as `trace` does."""
    torch.export.save(trace(part), folder / f"{part.name}{SUFFIX}")


def load(folder: Path, name: str) -> Exported:
    """The program in a folder."""
    return torch.export.load(folder / f"{name}{SUFFIX}").module()


def call(part: Part) -> list[str]:
    """Lines of Python that load the part's program and run it."""
    return [f'{part.name} = torch.export.load("{part.name}{SUFFIX}").module()', *torch_call(part)]


TORCH_EXPORT = Format("torch-export", "programs of torch.export", SUFFIX, save, load, ("import torch",), call)
