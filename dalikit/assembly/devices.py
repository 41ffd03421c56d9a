"""The device that a configuration names, found on this machine."""

import torch

from dalikit.errors import UserError


def find_device(name: str) -> torch.device:
    """The device that `name` means; "auto" is a CUDA device where there is one.

    Raises:
        UserError: torch knows no such device, or it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
        torch.zeros(1, device=found).item()  # the meta device fails at the value alone
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"Device '{name}' cannot be used: {str(error).splitlines()[0][:120]}") from None
    return found
