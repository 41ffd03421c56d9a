"""The device that a configuration names, found on this machine."""

import re

import torch

from dalikit.errors import UserError, nearest

MEANT = {"gpu": "cuda", "nvidia": "cuda", "metal": "mps", "apple": "mps", "amd": "cuda", "rocm": "cuda"}
"""What people call a device, and what torch does."""

KNOWN = ("auto", "cpu", "cuda", "mps", "xpu")


def find_device(name: str) -> torch.device:
    """The device that `name` means; "auto" is a CUDA device where there is one.

    Raises:
        UserError: torch knows no such device, or it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
    except RuntimeError:
        kind, colon, number = name.partition(":")
        meant = MEANT.get(kind.lower())
        hint = f" Did you mean '{meant}{colon}{number}'?" if meant else nearest(name, list(KNOWN))
        raise UserError(
            f"Device '{name}' cannot be used: torch knows none of this name.{hint} {_here()}"
        ) from None
    try:
        torch.zeros(1, device=found).item()  # the meta device fails at the value alone
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"Device '{name}' cannot be used: {_sentence(error)}. {_here()}") from None
    return found


def _sentence(error: Exception) -> str:
    """The first sentence of what torch says, which is whole; the rest is for those who build it."""
    return re.split(r"\.(?:\s|$)", str(error).splitlines()[0])[0]


def _here() -> str:
    there = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    there += ["mps"] if torch.backends.mps.is_available() else []
    return f"This machine has {', '.join(there)}"
