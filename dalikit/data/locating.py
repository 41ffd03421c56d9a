"""Which kind of source of pictures lies at a path."""

from pathlib import Path

from dalikit.data.sources import Source, Tree, Zip, is_picture
from dalikit.data.tables import Parquet
from dalikit.errors import UserError


def source_of(path: Path, divided: bool = True) -> Source:
    """The source that lies at `path`; all its pictures alike unless it is `divided` into classes and parts.

    Raises:
        UserError: there is none, or it is parquet and what reads that is not installed.
    """
    try:
        if path.is_dir():
            tables = not any(is_picture(file.name) for file in path.rglob("*")) and any(
                path.rglob("*.parquet")
            )
            return Parquet(path, divided) if tables else Tree(path, divided)
        if path.suffix.lower() in (".zip", ".parquet") and path.is_file():
            return Zip(path, divided) if path.suffix.lower() == ".zip" else Parquet(path, divided)
    except OSError:  # a name longer than the file system takes
        pass
    raise UserError(
        f"dataset 'folder': '{path}' is no folder, zip or parquet file: --set dataset.path=PATH names one"
    )
