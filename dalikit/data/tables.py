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
from dalikit.errors import UserError, shortened
from dalikit.interfaces import Part
from dalikit.plainfiles import check_plain

IMAGES, LABELS = ("image", "img", "picture"), ("label", "labels", "class", "fine_label")
AT_ONCE, HELD = 8, 1 << 26
"""Rows that are unpacked at once, and the most bytes that they may come to: each may stand for the same large
value of a dictionary, as large as all that the column unpacks to."""

ROWS, LETTERS = 2_000_000, 1000
"""The most rows of a file, which are listed in memory, and the most letters of a class's name."""

UNPACKED, RATIO = 1 << 25, 20
"""Bytes that a column of a row group may unpack to, or else so many times its size: pictures are packed."""


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
            with self._blamed(file):
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
            for values in self._rows(file, self._column(file)):
                yield from (partial(_opened, value) for value in values)

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
            check_plain(file)
            table = self._pyarrow.parquet.ParquetFile(file)
        if table.metadata.num_rows > ROWS:
            raise UserError(
                f"{file} has {table.metadata.num_rows:,} rows, {ROWS:,} at most are read: divide it"
            )
        return table

    def _rows(self, file: Path, column: str) -> Iterator[list[Any]]:
        """What a column holds, some rows at a time."""
        with self._blamed(file):
            table = self._table(file)
            groups = map(table.metadata.row_group, range(table.num_row_groups))
            largest = max((_unpacked(file, group, column) for group in groups), default=0)
            rows = max(1, min(AT_ONCE, HELD // max(1, largest)))
            for batch in table.iter_batches(rows, columns=[column]):
                yield batch.column(0).to_pylist()

    @contextmanager
    def _blamed(self, file: Path) -> Iterator[None]:
        """What fails inside is the file's fault: it is found out page by page, and name by name."""
        try:
            yield
        except (OSError, self._pyarrow.ArrowException, UnicodeDecodeError) as error:
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
        return [_class(file, value, names) for values in self._rows(file, column) for value in values]


def _unpacked(file: Path, group: Any, column: str) -> int:
    """To how many bytes a column unpacks, as the file says; raises `UserError` where no pictures do so."""
    chunks = map(group.column, range(group.num_columns))
    own = [chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] == column]
    for chunk in own:
        most = max(UNPACKED, RATIO * chunk.total_compressed_size)
        if chunk.total_uncompressed_size > most:
            raise UserError(
                f"{file}: column '{column}' unpacks to {chunk.total_uncompressed_size:,} bytes a row group, "
                f"more than {most:,}: write it anew with smaller row groups"
            )
    return sum(chunk.total_uncompressed_size for chunk in own)


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
    except (KeyError, TypeError, ValueError, RecursionError):
        return []


def _class(file: Path, value: Any, names: list[str]) -> str | None:
    """A label's class; tables in which some are missing have whole numbers as floats, and NaN for those."""
    if value is None or value != value:
        return None
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    name = names[number] if isinstance(number, int) and 0 <= number < len(names) else str(number)
    if len(name) > LETTERS:
        raise UserError(
            f"{file}: class '{shortened(name)}' has {len(name):,} letters, {LETTERS:,} at most are read"
        )
    return name


def _called(file: PurePosixPath) -> str:
    """How a file's name begins, if that is a part's, else its folder's: train-00000-of-00001, train/0000."""
    first = re.split(r"[^a-z]", file.name.lower())[0]
    return first if first in ("train", "test", *HELD_OUT) else file.parent.name.lower()


def _opened(value: Any) -> BytesIO:
    content = value.get("bytes") if isinstance(value, dict) else value
    if content is None:
        raise ValueError("no picture")
    return BytesIO(content)
