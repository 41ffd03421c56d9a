"""`dalikit export`: a run out of dalikit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dalikit.cli import output
from dalikit.cli.quiet import with_quiet
from dalikit.cli.using import Run, Weights
from dalikit.errors import UserError

if TYPE_CHECKING:
    from dalikit.exporting.parts import PartName


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(with_quiet(export))


def export(
    run: Run,
    format: Annotated[
        str, typer.Option(metavar="onnx|torch-export|safetensors", help="What is written.")
    ] = "onnx",
    part: Annotated[
        str | None,
        typer.Option(
            metavar="generator|encoder|both", help="One part alone.", show_default="all that there are"
        ),
    ] = None,
    weights: Weights = "last",
    out: Annotated[
        Path | None, typer.Option(help="Folder to write.", show_default="a new one in the run's")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export that is there.")] = False,
) -> None:
    """Write generator, encoder and both together for use without dalikit, each checked by running it."""
    from dalikit.exporting import export
    from dalikit.exporting.parts import PARTS
    from dalikit.exporting.writing import format_of
    from dalikit.model import load

    kind = format_of(format)
    kind.check_installed()
    if part is not None and part not in PARTS:
        raise UserError(f"--part {part}: it is one of {', '.join(PARTS)}")
    model = load(run, weights=weights)  # type: ignore[arg-type]
    target = output.target(out, model.run.path, f"export-{format}", ("",), force)
    names: list[PartName] | None = None if part is None else [part]
    for name, off in export(model, target, format, names).items():
        print(f"Wrote {target / name}{kind.suffix}: differs from the model by {off:.2g} at most")
    print(f"How to call them is in {target / 'README.md'}")
