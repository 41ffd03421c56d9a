"""The log of a run, metrics.jsonl: a JSON object a line, each with its step. `run` is the run's folder."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dalikit.errors import RunError, UserError
from dalikit.files import write_text

LOG = "metrics.jsonl"
"""The log's file."""


def append(run: Path, record: Mapping[str, Any]) -> None:
    """Append one line; `time` is added to it.

    Raises:
        RunError: a value is not finite, or the file cannot be written.
    """
    stamped = {**record, "time": datetime.now(UTC).isoformat(timespec="milliseconds")}
    try:
        line = json.dumps(stamped, allow_nan=False)
        with (run / LOG).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except ValueError:
        raise RunError(f"Cannot log {record}: a value is not finite") from None
    except OSError as error:
        raise RunError(f"Cannot write {run / LOG}: {error.strerror}") from None


def rewind(run: Path, step: int) -> None:
    """Drop the lines of after `step`.

    Raises:
        UserError: the log is damaged.
    """
    if not (run / LOG).exists():
        return
    write_text(run / LOG, "".join(text for text, line in _read(run) if line["step"] <= step))


def lines(run: Path) -> list[dict[str, Any]]:
    """What the lines say, without a last one that was cut off; raises as `rewind` does."""
    return [line for _, line in _read(run)]


def _read(run: Path) -> list[tuple[str, dict[str, Any]]]:
    """The lines, as text and as what they say."""
    path = run / LOG
    try:
        texts = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        if texts and not texts[-1].endswith("\n"):
            texts.pop()  # a process was killed, or a disk was full, in the middle of it
        return [(text, _record(text)) for text in texts if text.strip()]
    except (OSError, ValueError, AttributeError):
        raise UserError(f"Run {run} is damaged: {LOG} has a line that is not a record") from None


def _record(text: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(text)
    if not isinstance(record.get("step"), int):
        raise ValueError("a line has no step")
    return record
