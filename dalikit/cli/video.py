"""Options of commands that write films, and whether they go together."""

from pathlib import Path
from typing import Annotated

import typer

from dalikit.errors import UserError

Video = Annotated[
    Path | None,
    typer.Option(metavar="FILE.gif|FILE.mp4", help="Write a film.", show_default="a picture or arrays"),
]
Fps = Annotated[
    float | None,
    typer.Option(min=0.1, max=60, help="Pictures a second.", show_default="for ten seconds: 2 to 20"),
]
Loop = Annotated[bool, typer.Option("--loop/--no-loop", help="Whether a GIF begins again when it ends.")]


def check_options(video: Path | None, out: Path | None, fps: float | None, loop: bool) -> None:
    """Raise `UserError` where options of a film stand without one, or what is asked for cannot be written."""
    from dalikit.video import check_writable

    if video is None:
        if fps is not None or not loop:
            raise UserError("--fps and --no-loop are of a film: --video FILE.gif names it")
        return
    if out is not None:
        raise UserError("--out and --video each say what is written: give one of them")
    check_writable(video, loop)
