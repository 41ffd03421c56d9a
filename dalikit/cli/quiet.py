"""`--quiet`: what commands say beside what they were asked for goes nowhere."""

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", is_eager=True, help="Say nothing but errors, warnings, and what was asked for."
    ),
]
"""Eager, so that other options, when they are read, know of it."""


@contextmanager
def hushed(quiet: bool) -> Iterator[None]:
    """Have nothing printed on standard output inside the block, by whomever, where it is to be quiet."""
    if not quiet:
        yield
        return
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield


def with_quiet(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose standard output is talk alone, for it writes files, with the option `--quiet`."""

    @wraps(command)
    def run(*, quiet: bool = False, **given: Any) -> Any:
        with hushed(quiet):
            return command(**given)

    signature = inspect.signature(command)
    own = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), own])  # type: ignore[attr-defined]
    return run
