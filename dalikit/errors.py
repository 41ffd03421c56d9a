"""Errors that end a command with one clear line, and the exit code each stands for."""

import signal


class DalikitError(Exception):
    """Base of every error dalikit raises on purpose; its text names the culprit and what to do."""

    exit_code = 1


ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)
)
"""Signals that ask for an end: Ctrl-C, a plain wish, a terminal that is gone, a batch system's warning."""


class Interrupted(BaseException):
    """A signal ends the command at once. No `Exception`, so that nothing swallows it on the way."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


class Stopped(BaseException):
    """Training is asked to end at once: what takes long is given up, and done again when it goes on."""


class UserError(DalikitError):
    """What the user gave cannot be used: a name, a parameter, a file, a combination. Exit code 2."""

    exit_code = 2


class RunError(DalikitError):
    """Something failed while running: a non-finite loss, a full disk. Exit code 1."""


class RunGoneError(RunError):
    """The folder of a run that trains is not there any more."""


class NonFiniteLossError(RunError):
    """A loss became NaN or infinite; the message names the phase and the term."""


class PluginError(UserError):
    """A plugin or a component cannot be used; the message names its distribution."""


class UnfitError(UserError):
    """Components do not fit together: a missing role, a shape, a combination that means nothing."""


SHOWN, LONGEST = 200, 1000
"""The most characters of a value that a message shows, and of a message."""


def shortened(text: str, most: int = SHOWN) -> str:
    """A text as errors show it: one line, what cannot be printed escaped, the middle left out if it is long.

    Examples:
        >>> shortened("a" * 20 + "b" * 20, 21)
        'aaaaaaaaa … bbbbbbbbb'
        >>> shortened("new\\nline, \\x1b[31m red")
        'new line, \\\\x1b[31m red'
    """
    if len(text) > 2 * most:  # what is left out need not be looked at
        text = f"{text[:most]} … {text[-most:]}"
    line = " ".join(text.split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    half = (most - 3) // 2
    return line if len(line) <= most else f"{line[:half].rstrip()} … {line[-half:].lstrip()}"


def nearest(name: str, known: list[str]) -> str:
    """A hint that names the known word closest to `name`, or nothing.

    Examples:
        >>> nearest("digit", ["digits", "grid25"])
        " Did you mean 'digits'?"
        >>> nearest("qqq", ["digits"])
        ''
    """
    from difflib import get_close_matches

    match = get_close_matches(name[:SHOWN], known, n=1)  # its time grows with the square of the length
    return f" Did you mean '{match[0]}'?" if match else ""
