"""Pictures in a column of parquet files, as the Hugging Face Hub keeps them. Read by pyarrow, an extra."""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from dalikit.data.sources import Entry, Opener, Source, hidden
from dalikit.errors import UserError

IMAGES, LABELS = ("image", "img", "picture"), ("label", "labels", "class", "fine_label")
AT_ONCE = 64


class Parquet(Source):
    """The rows of a parquet file, or of all those in a folder.

    The column of pictures is one of bytes, or of structs with `bytes`; the column `label` has their classes,
    named where the file names them. Files whose names begin with `train` and `test` are the parts.
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
        starts = {file.name.split("-")[0].split(".")[0] for file in self._files}
        divided = {"train", "test"} <= starts
        found = []
        for file in self._files:
            self._column(file)  # which raises where there is none
            labels = self._labels(file) if self.divided else self._table(file).metadata.num_rows * [None]
            part: Literal["train", "test"] | None = None
            if divided:
                part = "test" if file.name.startswith("test") else "train"
            found += [Entry(f"{file.name}, row {row}", label, part) for row, label in enumerate(labels)]
        return found

    @cached_property
    def state(self) -> bytes:
        """Name, size and time of each file."""
        statuses = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in self._files]
        return repr(statuses).encode()

    def openers(self) -> Iterator[Opener]:
        """What gives each row's bytes as a file."""
        for file in self._files:
            table = self._table(file)
            column = self._column(file)
            for batch in table.iter_batches(AT_ONCE, columns=[column]):
                for value in batch.column(0).to_pylist():
                    yield partial(_opened, value)

    @cached_property
    def _files(self) -> list[Path]:
        if not self.path.is_dir():
            return [self.path]
        found = sorted(self.path.rglob("*.parquet"))
        return [file for file in found if not hidden(PurePosixPath(file.relative_to(self.path).as_posix()))]

    def _table(self, file: Path) -> Any:
        try:
            return self._pyarrow.parquet.ParquetFile(file)
        except (OSError, self._pyarrow.ArrowException) as error:
            raise UserError(f"{file} is no parquet file that can be read: {error}") from None

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
        values = table.read([column]).column(0).to_pylist()
        return [None if v is None else names[v] if v in range(len(names)) else str(v) for v in values]


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


def _opened(value: Any) -> BytesIO:
    content = value.get("bytes") if isinstance(value, dict) else value
    if content is None:
        raise ValueError("no picture")
    return BytesIO(content)
