"""A run's small files, read back with their damage named."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dalikit.errors import UserError
from dalikit.plainfiles import read_text
from dalikit.runs.sealing import SEAL

BYTES = 1 << 26
"""The most bytes of such a file: 64 MiB."""

M = TypeVar("M", bound=BaseModel)


def read_json(path: Path, run: Path) -> dict[str, Any]:
    """The JSON object in the file at `path`, which is of the run at `run`.

    Raises:
        UserError: the file is missing or damaged, or this user may not read it.
    """
    try:
        content = json.loads(read_text(path, BYTES))
    except PermissionError:
        raise forbidden(path) from None
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise UserError(f"Run {run} is damaged: {path.name}: {reason}") from None
    if not isinstance(content, dict):
        raise UserError(f"Run {run} is damaged: {path.name} holds no object")
    return content


def read_model(model: type[M], name: str, run: Path) -> M:
    """What the file `name` of the run at `run` says, as a `model`; raises as `read_json` does."""
    content = read_json(run / name, run)
    content.pop(SEAL, None)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise UserError(f"Run {run} is damaged: {name}: {place}: {fault['msg']}") from None


def forbidden(path: Path) -> UserError:
    """What is raised where a file or folder is there, and whoever runs this may not read it."""
    return UserError(f"{path} cannot be read: permission denied: its owner can allow it")


def unwritable(run: Path, error: OSError) -> UserError:
    """What is raised where the folder of a run cannot be written."""
    return UserError(f"Output {run} cannot be written: {error.strerror}")
