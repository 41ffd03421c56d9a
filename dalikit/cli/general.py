"""Options that every command takes, before it or behind it, and what the two about plugins do."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dalikit.errors import UserError
from dalikit.hookspecs import PLUGINS_VARIABLE, STRICT_VARIABLE

ALONE, NAMING = ("--debug", "--strict"), "--no-plugin"


def brought_forward(words: Sequence[str]) -> list[str]:
    """The words of a command line with what every command takes before the command.

    Raises:
        UserError: `--no-plugin` is the last word, and names nothing.

    Examples:
        >>> brought_forward(["train", "--no-plugin", "slow", "--steps", "3", "--strict", "--", "--debug"])
        ['--no-plugin', 'slow', '--strict', 'train', '--steps', '3', '--', '--debug']
    """
    first: list[str] = []
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            return [*first, *rest, word, *left]
        if word == NAMING:
            if not left:
                raise UserError(f"{NAMING} names a plugin, as `dalikit plugins` lists them: none is named")
            first += [word, left.pop(0)]
        else:
            (first if word in ALONE or word.startswith(f"{NAMING}=") else rest).append(word)
    return [*first, *rest]


@contextmanager
def selected(without: Sequence[str], *, strict: bool) -> Iterator[None]:
    """Have plugins left out, and anything broken end the command, inside the block.

    By the environment, which the processes that a study starts have too.
    """
    before = {name: os.environ.get(name) for name in (PLUGINS_VARIABLE, STRICT_VARIABLE)}
    said = [before[PLUGINS_VARIABLE] or "", *(f"-{name}" for name in without)]
    if without:
        os.environ[PLUGINS_VARIABLE] = ",".join(word for word in said if word)
    if strict:
        os.environ[STRICT_VARIABLE] = "1"
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
