"""`dalikit`: the application, and how every error ends it."""

import errno
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

import dalikit
from dalikit.cli import (
    components,
    data,
    doctor,
    evaluate,
    export,
    film,
    infer,
    push,
    reports,
    runs,
    scorer,
    signals,
    study,
    train,
    verify,
)
from dalikit.cli.general import brought_forward, selected
from dalikit.cli.installed import unreadable
from dalikit.errors import LONGEST, DalikitError, Interrupted, shortened

app = typer.Typer(
    name="dalikit",
    help="Train and use adversarial generative models that can also infer.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
train.register(app)
data.register(app)
infer.register(app)
reports.register(app)
export.register(app)
film.register(app)
push.register(app)
evaluate.register(app)
study.register(app)
scorer.register(app)
components.register(app)
verify.register(app)
runs.register(app)
doctor.register(app)

REFUSED = (errno.ENAMETOOLONG, errno.EACCES)
"""What the system says of a path wherever that is asked for: the user gave it, and no program can mend it."""


def _print_version(asked: bool) -> None:
    if asked:
        print(f"dalikit {dalikit.__version__}")
        raise typer.Exit


@app.callback(epilog="These options may stand behind the command too.")
def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at a broken plugin instead of warning.")
    ] = False,
    no_plugin: Annotated[
        list[str] | None,
        typer.Option(
            "--no-plugin", metavar="NAME", help="Leave a plugin out, by its distribution; may be repeated."
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Train and use adversarial generative models that can also infer."""
    context.with_resource(selected(no_plugin or [], strict=strict))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0; 2, what the user gave; 1, what failed; 128 and a signal's number."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    _plain_warnings()
    try:
        with signals.at_once():
            code = app(brought_forward(words), standalone_mode=False) or 0
    except Interrupted as stop:
        code = _report(f"{stop}.", stop.exit_code)
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:  # the last line of defence: one line, unless the user wants to see it all
        if debug:
            raise
        code = _explain(error)
    sys.exit(code)


def _explain(error: Exception) -> int:
    if isinstance(error, DalikitError):
        return _report(_with_notes(f"Error: {error}", error), error.exit_code)
    if usage := getattr(error, "format_message", None):  # what the parser of the command line raises
        if not usage():  # `dalikit` alone: the help has been printed
            return 2
        where = "`dalikit --help` and `dalikit COMMAND --help` list what there is."
        return _report(f"Error: {usage().rstrip('.')}. {where}", 2)
    if isinstance(error, OSError) and error.errno in REFUSED and error.filename is not None:
        return _report(f"Error: {error.filename}: {error.strerror}", 2)
    if broken := unreadable():
        return _report(f"Error: {broken}", 2)
    from dalikit.interfaces.blaming import named

    said = named(error) or f"{type(error).__name__}: {error}"
    return _report(_with_notes(f"Error: {said} (--debug shows where)", error), 1)


def _with_notes(said: str, error: Exception) -> str:
    """What is said of an error, and what whoever passed it on had to add."""
    return ". ".join([said, *(f"{note[:1].upper()}{note[1:]}" for note in getattr(error, "__notes__", ()))])


def _report(text: str, code: int) -> int:
    print(shortened(text, LONGEST), file=sys.stderr)
    return code


def _plain_warnings() -> None:
    """Warnings as one line on standard error, without the source line that raised them."""

    def show(message: Warning | str, *_: object) -> None:
        with suppress(OSError):  # as Python's own: whoever would read it has gone
            print(f"Warning: {message}", file=sys.stderr)

    warnings.showwarning = show  # type: ignore[assignment]
