"""`dalikit push`: a run to the Hugging Face Hub."""

from typing import Annotated

import typer

from dalikit.cli.quiet import with_quiet
from dalikit.cli.sizes import told_size
from dalikit.cli.using import Run


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(with_quiet(push))


def push(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="USER/NAME", help="The repository on the Hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[str | None, typer.Option(help="A branch.", show_default="main")] = None,
    license: Annotated[
        str | None, typer.Option(help="As the Hub names it, e.g. apache-2.0.", show_default="none is stated")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Send the optimizers' moments too, which a resume needs.")
    ] = False,
) -> None:
    """Send a run to the Hugging Face Hub: weights, settings, scores, pictures and a card; never its data."""
    from dalikit import hub, publishing
    from dalikit.model import load
    from dalikit.publishing.card import check_license

    hub.check_installed()
    check_license(license)
    place = hub.Place.parse(name if revision is None else f"{name}@{revision}")
    address, sizes = publishing.push(
        load(run), place, private=private, license=license, everything=everything
    )
    for path, size in sizes.items():
        print(f"  {path:<50} {told_size(size):>10}")
    print(f"Sent {len(sizes)} files of {told_size(sum(sizes.values()))}: {address}")
    print(f'Use it by dalikit.load("{place}")')
