"""The log of a run, metrics.jsonl: a JSON object a line, each with its step."""

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from dalikit.errors import RunError, UserError
from dalikit.files import flush, write_text
from dalikit.plainfiles import append_plain, open_plain
from dalikit.runs.files import forbidden
from dalikit.runs.manifest import FileFacts

LOG = "metrics.jsonl"
"""The log's file."""


MOST = 1 << 28
"""Bytes of a log at most: some million lines."""


TAIL = 1 << 18
"""Bytes of a log's end, in which its last line stands."""


@dataclass(frozen=True)
class RunLog:
    """The log of a run on disk, at `path`."""

    path: Path

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one line; `time` is added to it.

        Raises:
            RunError: a value is not finite, the file cannot be written, or a link stands in its place.
        """
        stamped = {**record, "time": datetime.now(UTC).isoformat(timespec="milliseconds")}
        try:
            line = json.dumps(stamped, allow_nan=False)
            with append_plain(self.path / LOG) as file:
                _append(file, f"{line}\n".encode())
        except ValueError:
            raise RunError(f"Cannot log {record}: a value is not finite") from None
        except OSError as error:
            raise RunError(f"Cannot write {self.path / LOG}: {error.strerror}") from None

    def flush_log(self) -> None:
        """Have the log on the disk before anything vouches for it; raises as `log` does."""
        try:
            if (self.path / LOG).exists():
                flush(self.path / LOG)
        except OSError as error:
            raise RunError(f"Cannot write {self.path / LOG}: {error.strerror}") from None

    def log_facts(self) -> FileFacts:
        """The log as far as it goes; what follows later lines does not change it."""
        return FileFacts.of(self._bytes())

    def log_holds(self, facts: FileFacts | None) -> bool:
        """Whether the log still begins with what it was once."""
        return facts is None or facts.holds(self._bytes())

    def rewind(self, facts: FileFacts | None, step: int) -> None:
        """Drop what was logged after it was as `facts` say; where it never was, lines of after `step`.

        Raises:
            RunError: it cannot be written.
            UserError: this user may not read it, or it is no text.
        """
        content = self._bytes()
        if facts is not None and facts.holds(content):
            kept = content[: facts.size].decode("utf-8")
        elif step < 0:
            kept = ""  # of a run that begins anew, whatever stood there
        else:
            kept = "".join(text for text in self._texts() if _step_of(text, step + 1) <= step)
        if kept.encode() != content:
            try:
                write_text(self.path / LOG, kept)
            except OSError as error:
                raise RunError(f"Cannot write {self.path / LOG}: {error.strerror}") from None

    def log_lines(self) -> list[dict[str, Any]]:
        """What the lines say, without a last one that was cut off; raises as `rewind` does."""
        return [line for _, line in self._lines()]

    def last_step(self) -> int:
        """The step of the last line, -1 where there is none; no more than the log's end is read.

        Raises:
            UserError: this user may not read it, or the line is none that was written.
        """
        try:
            with open_plain(self.path / LOG) as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
                lines = file.read(TAIL).rpartition(b"\n")[0].splitlines()
        except FileNotFoundError:
            return -1
        except PermissionError:
            raise forbidden(self.path / LOG) from None
        except OSError as error:
            raise UserError(f"Run {self.path} is damaged: {LOG}: {error.strerror}") from None
        step = _step_of(lines[-1].decode("utf-8", "replace"), -1) if lines else -1
        if lines and step < 0:
            raise UserError(f"Run {self.path} is damaged: {LOG} has a line that is not a record")
        return step

    def _bytes(self) -> bytes:
        try:
            with open_plain(self.path / LOG) as file:
                content = file.read(MOST + 1)
        except FileNotFoundError:
            return b""
        except PermissionError:
            raise forbidden(self.path / LOG) from None
        except OSError as error:
            raise UserError(f"Run {self.path} is damaged: {LOG}: {error.strerror}") from None
        if len(content) > MOST:
            raise UserError(f"Run {self.path} is damaged: {LOG} is larger than {MOST >> 20} MiB")
        return content

    def _lines(self) -> list[tuple[str, dict[str, Any]]]:
        """The lines, as text and as what they say."""
        texts = self._texts()
        try:
            return [(text, _record(text)) for text in texts if text.strip()]
        except (ValueError, AttributeError, RecursionError):
            raise UserError(f"Run {self.path} is damaged: {LOG} has a line that is not a record") from None

    def _texts(self) -> list[str]:
        try:
            texts = self._bytes().decode("utf-8").splitlines(keepends=True)
        except UnicodeDecodeError:
            raise UserError(f"Run {self.path} is damaged: {LOG} has a line that is not a record") from None
        if texts and not texts[-1].endswith("\n"):
            texts.pop()  # a process was killed, or a disk was full, in the middle of it
        return texts


def _append(file: IO[bytes], line: bytes) -> None:
    """Write a line whole or not at all: the next one would stand on the half that a full disk took."""
    begun = file.tell()
    try:
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except BaseException:
        file.truncate(begun)
        raise


def _step_of(text: str, otherwise: int) -> int:
    """The step of a line, or another one where the line is no record."""
    try:
        return int(_record(text)["step"])
    except (ValueError, AttributeError, RecursionError):
        return otherwise


def _record(text: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(text)
    if not isinstance(record.get("step"), int):
        raise ValueError("a line has no step")
    return record
