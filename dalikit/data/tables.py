"""Pictures in a column of parquet files, as the Hugging Face Hub keeps them. Read by pyarrow, an extra."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from dalikit.data.imagefiles import reason
from dalikit.data.layout import HELD_OUT, Entry, hidden, parts_by
from dalikit.data.sources import Opener, Source
from dalikit.errors import UserError
from dalikit.interfaces import Part

IMAGES, LABELS = ("image", "img", "picture"), ("label", "labels", "class", "fine_label")
AT_ONCE = 64


class Parquet(Source):
    """The rows of a parquet file, or of all those in a folder.

    The column of pictures is one of bytes, or of structs with `bytes`; the column `label` has their classes,
    named where the file names them. Files whose names begin with `train` and `test`, or lie in folders
    called so, are the parts.
    """

    def __init__(self, path: Path, divided: bool = True) -> None:
        super().__init__(path, divided)
        try:
            import pyarrow.parquet
        except ImportError:
            raise UserError(f"{path}: parquet is read by pyarrow: pip install 'dalikit[parquet]'") from None
        self._pyarrow = pyarrow

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """All rows, by file and number."""
        found: list[Entry] = []
        for file, part in self._files.items():
            self._column(file)  # which raises where there is none
            labels = self._labels(file) if self.divided else self._table(file).metadata.num_rows * [None]
            name = self._name(file)
            found += [Entry(f"{name}, row {row}", label, part) for row, label in enumerate(labels)]
        return found

    @property
    def passed_over(self) -> Sequence[str]:
        """Files beside those of the parts."""
        beside = len(self._all) - len(self._files)
        return [f"{beside:,} files beside those of the parts not read"] if beside else []

    @cached_property
    def state(self) -> bytes:
        """Name, size and time of each file."""
        statuses = [
            (str(self._name(file)), file.stat().st_size, file.stat().st_mtime_ns) for file in self._files
        ]
        return repr(statuses).encode()

    def openers(self) -> Iterator[Opener]:
        """What gives each row's bytes as a file."""
        for file in self._files:
            with self._blamed(file):
                batches = self._table(file).iter_batches(AT_ONCE, columns=[self._column(file)])
                for batch in batches:
                    yield from (partial(_opened, value) for value in batch.column(0).to_pylist())

    @cached_property
    def _files(self) -> dict[Path, Part | None]:
        """All files that are read, and the part that each is given for, by its name or its folder's."""
        called = {file: _called(self._name(file)) for file in self._all}
        names = set(called.values())
        parts = parts_by(names, self.path) if self.divided and len(names) > 1 else {}
        if not parts:
            return dict.fromkeys(self._all)
        return {file: parts[name] for file, name in called.items() if name in parts}

    def _name(self, file: Path) -> PurePosixPath:
        return PurePosixPath(file.relative_to(self.path).as_posix() if self.path.is_dir() else file.name)

    @cached_property
    def _all(self) -> list[Path]:
        if not self.path.is_dir():
            return [self.path]
        found = sorted(self.path.rglob("*.parquet"))
        return [file for file in found if not hidden(self._name(file))]

    def _table(self, file: Path) -> Any:
        with self._blamed(file):
            return self._pyarrow.parquet.ParquetFile(file)

    @contextmanager
    def _blamed(self, file: Path) -> Iterator[None]:
        """What fails inside is the file's fault: it is found out page by page."""
        try:
            yield
        except (OSError, self._pyarrow.ArrowException) as error:
            raise UserError(f"{file} is no parquet file that can be read: {reason(error)}") from None

    def _column(self, file: Path) -> str:
        """The name of the column that holds pictures: one that is called so, else the first of bytes."""
        found = [field.name for field in self._table(file).schema_arrow if _holds_bytes(field.type)]
        if not found:
            raise UserError(f"{file} has no column of pictures: one of bytes, or of structs with 'bytes'")
        return next((name for name in IMAGES if name in found), found[0])

    def _labels(self, file: Path) -> list[str | None]:
        table = self._table(file)
        column = next((name for name in LABELS if name in table.schema_arrow.names), None)
        if column is None:
            return [None] * table.metadata.num_rows
        names = _names(table.schema_arrow.metadata or {}, column)
        with self._blamed(file):
            values = table.read([column]).column(0).to_pylist()
        return [_class(value, names) for value in values]


def _holds_bytes(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    return types.is_binary(kind) or types.is_large_binary(kind)


def _names(metadata: dict[bytes, bytes], column: str) -> list[str]:
    """The classes' names that the Hub's libraries leave in a file, or none."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return [str(name) for name in features[column]["names"]]
    except (KeyError, TypeError, ValueError):
        return []


def _class(value: Any, names: list[str]) -> str | None:
    """A label's class; tables in which some are missing have whole numbers as floats, and NaN for those."""
    if value is None or value != value:
        return None
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    return names[number] if isinstance(number, int) and 0 <= number < len(names) else str(number)


def _called(file: PurePosixPath) -> str:
    """How a file's name begins, if that is a part's, else its folder's: train-00000-of-00001, train/0000."""
    first = re.split(r"[^a-z]", file.name.lower())[0]
    return first if first in ("train", "test", *HELD_OUT) else file.parent.name.lower()


def _opened(value: Any) -> BytesIO:
    content = value.get("bytes") if isinstance(value, dict) else value
    if content is None:
        raise ValueError("no picture")
    return BytesIO(content)
