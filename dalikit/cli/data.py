"""`dalikit data`: what would be trained on, before anything is."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dalikit.cli import output, settings

if TYPE_CHECKING:
    from dalikit.interfaces import Dataset

SHOWN = 50
"""Classes that are counted, each in a line."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("data")(show_data)


def show_data(
    path: Annotated[Path, typer.Argument(help="A folder, .zip, .parquet, .npy or .npz.")],
    dataset: settings.Dataset = None,
    assignments: settings.Assignments = None,
    out: Annotated[
        Path | None, typer.Option(help="The picture.", show_default="a new .png in the current folder")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over what is there.")] = False,
    data_root: settings.DataRoot = None,
) -> None:
    """Show what would be trained on: counts, sizes, classes, parts, what is broken, and a picture."""
    from dalikit.assembly import build, checking
    from dalikit.assembly.registry import Registry
    from dalikit.runs.config import merge

    target = output.target(out, Path(), f"data-{path.absolute().stem}.png", (".png",), force)
    registry = Registry.discover()
    given = settings.layers(dataset=settings.dataset_of(path, dataset, registry), assignments=assignments)
    data = build.make_dataset(checking.check_dataset(merge(given), registry), registry, data_root)
    for line in data.introduction():
        print(line)
    for title, line in data.details().items():
        print(f"{title + ':':<16}{line}")
    _print_classes(data)
    _draw(data, target)
    own = [word for text in assignments or [] for word in ("--set", text)]
    named = [*(["--dataset", dataset] if dataset else []), *own]
    named += ["--data-root", str(data_root)] if data_root else []
    print(f"Train on it: {shlex.join(['dalikit', 'train', '--data', str(path), *named])}")


def _print_classes(data: "Dataset") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dalikit.data.telling import class_counts

    counts = class_counts(data)
    if not counts:
        return
    table = Table("class", "train", "validation", "test")
    for name, found in list(counts.items())[:SHOWN]:
        table.add_row(Text(name), *(f"{n:,}" for n in found))
    Console().print(table)
    if len(counts) > SHOWN:
        print(f"and {len(counts) - SHOWN:,} more classes")


def _draw(data: "Dataset", target: Path) -> None:
    """Draw the first of the training part, as they will be seen in training."""
    import torch

    from dalikit import pictures

    if not pictures.drawable(data.spec):
        print(f"Data of shape {data.spec.x_shape} cannot be drawn")
        return
    split = data.split("train")
    count = min(len(split), pictures.count(data.spec))
    x = data.scale(split.take(torch.arange(count), torch.Generator().manual_seed(0)).x)
    title = f"{data.name}: {count:,} of the training part, as training sees them"
    pictures.save(pictures.draw(x, data.spec, x, title=title), target)
    print(f"Wrote {target}: {count:,} of the training part, as training sees them")
