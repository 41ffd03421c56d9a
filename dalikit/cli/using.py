"""What all commands that use a trained run are given, and the run itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dalikit.model import RunModel

Run = Annotated[Path, typer.Argument(help="Folder of a trained run.", show_default=False)]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of what is drawn.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, … or auto.")]
Weights = Annotated[str, typer.Option(help="last, or best: those that validation found best.")]


def load_run(run: Path, device: str, data_root: Path | None, weights: str) -> "RunModel":
    """The run, to be used on a device; raises as `dalikit.load` does."""
    from dalikit.model import load

    return load(run, device, data_root=data_root, weights=weights)  # type: ignore[arg-type]
