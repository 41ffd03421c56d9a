"""Where a user's pictures lie: in a tree of files, in a zip, or in a column of parquet files."""

import os
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from PIL import Image

from dalikit.errors import UserError

LARGEST = 1 << 28
"""The most bytes that a file in a zip may unpack to: 256 MiB."""

TEST_NAMES = ("test", "validation", "valid", "val")
"""Folders that hold the test part where a folder `train` lies beside them: the first that is there."""

Opener = Callable[[], IO[bytes]]


@dataclass(frozen=True)
class Entry:
    """A picture's name below its source, its class, and the part that it was given for, if it was."""

    name: str
    label: str | None = None
    part: Literal["train", "test"] | None = None


class Source(ABC):
    """Pictures, none of them read yet; with their classes and parts, unless they are not to be `divided`."""

    def __init__(self, path: Path, divided: bool = True) -> None:
        self.path, self.divided = path, divided

    @property
    @abstractmethod
    def entries(self) -> Sequence[Entry]:
        """All pictures, in an order that does not change."""

    @property
    @abstractmethod
    def state(self) -> bytes:
        """What changes whenever a picture is added, taken away or changed."""

    @abstractmethod
    def openers(self) -> Iterator[Opener]:
        """For each entry, in order, what opens its file; that may raise, as a file may be broken."""

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes' names in order, numbers by their value; none unless every picture has one."""
        found = {entry.label for entry in self.entries}
        names = [] if None in found else [str(label) for label in found]
        return tuple(sorted(names, key=lambda n: (not n.isdecimal(), int(n) if n.isdecimal() else 0, n)))

    def _listed(self, names: Sequence[PurePosixPath]) -> list[Entry]:
        return entries_of(names, self.path) if self.divided else [Entry(str(name)) for name in names]

    @property
    def test_given(self) -> bool:
        """Whether the test part was given."""
        return any(entry.part == "test" for entry in self.entries)


class Tree(Source):
    """Files by their suffix below a folder, links that lead nowhere among them; hidden ones are passed over.

    Links to folders are not followed.
    """

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """All pictures, by name."""
        files = [file for file in self.path.rglob("*") if is_picture(file.name) and not file.is_dir()]
        names = sorted(PurePosixPath(file.relative_to(self.path).as_posix()) for file in files)
        return self._listed([name for name in names if not hidden(name)])

    @cached_property
    def state(self) -> bytes:
        """Name, size and time of each file."""
        told = []
        for entry in self.entries:
            status = _status(self.path / entry.name)
            told.append(os.fsencode(entry.name) + f" {status.st_size} {status.st_mtime_ns}".encode())
        return b"".join(told)

    def openers(self) -> Iterator[Opener]:
        """What opens each file."""
        return (partial(_open_file, self.path / entry.name) for entry in self.entries)


class Zip(Source):
    """Files by their suffix in a zip, read where they lie: nothing is unpacked to the disk."""

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                infos = [
                    info for info in archive.infolist() if not info.is_dir() and is_picture(info.filename)
                ]
        except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
            raise UserError(f"{self.path} is no zip that can be read: {error}") from None
        named = {PurePosixPath(info.filename): info for info in infos}
        for name in named:
            if name.is_absolute() or ".." in name.parts:
                raise UserError(f"{self.path}: '{name}' leads out of the zip; pack it anew, with plain names")
        return {str(name): info for name, info in named.items()}

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """All pictures, by name."""
        names = [PurePosixPath(name) for name in sorted(self._members)]
        return self._listed([name for name in names if not hidden(name)])

    @cached_property
    def state(self) -> bytes:
        """Name and checksum of each file."""
        return repr([(entry.name, self._members[entry.name].CRC) for entry in self.entries]).encode()

    def openers(self) -> Iterator[Opener]:
        """What opens each file."""
        with zipfile.ZipFile(self.path) as archive:
            for entry in self.entries:
                yield partial(_open_member, archive, self._members[entry.name])


def source_of(path: Path, divided: bool = True) -> Source:
    """The source that lies at `path`; all its pictures alike unless it is `divided` into classes and parts.

    Raises:
        UserError: there is none, or it is parquet and what reads that is not installed.
    """
    from dalikit.data.tables import Parquet

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


def is_picture(name: str) -> bool:
    """Whether a file is a picture, by its suffix."""
    # Pillow reads PostScript by running Ghostscript on it, and only writes PDF.
    kind = Image.registered_extensions().get(PurePosixPath(name).suffix.lower())
    return kind is not None and kind in Image.OPEN and kind != "EPS"


def hidden(name: PurePosixPath) -> bool:
    """Whether a file is hidden, or lies in a hidden folder: macOS puts one beside each file it copies."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.parts)


def entries_of(names: Sequence[PurePosixPath], where: Path) -> list[Entry]:
    """Pictures with their classes and parts, by the folders that they lie in.

    Folders that hold everything count for nothing. A folder `train` and one of `TEST_NAMES` are the parts,
    and what lies beside those is not read. The folders of the next level are the classes, unless a picture
    lies in none.
    """
    inner = _shared(names)
    if inner and all(len(name.parts) == inner + 1 for name in names):
        inner -= 1  # the innermost folder is then the one class
    tops = {str(name.parts[inner]).lower() for name in names if len(name.parts) > inner + 1}
    test = next((name for name in TEST_NAMES if name in tops), None)
    if test == "test" and "train" not in tops:
        raise UserError(
            f"dataset 'folder': {where} has a folder test but no folder train beside it: name "
            f"{where / 'test'} itself to train on what is in it"
        )
    if test is None or "train" not in tops:
        return _labelled([(name, name.parts[inner:], None) for name in names])
    found: list[tuple[PurePosixPath, tuple[str, ...], Literal["train", "test"] | None]] = []
    for name in names:
        top = name.parts[inner].lower()
        if len(name.parts) > inner + 1 and top in ("train", *TEST_NAMES):
            found.append((name, name.parts[inner + 1 :], "test" if top == test else "train"))
    return _labelled(found)


def _labelled(
    found: Sequence[tuple[PurePosixPath, tuple[str, ...], Literal["train", "test"] | None]],
) -> list[Entry]:
    classed = all(len(rest) > 1 for _, rest, _ in found)
    return [Entry(str(name), _text(rest[0]) if classed else None, part) for name, rest, part in found]


def _shared(names: Sequence[PurePosixPath]) -> int:
    """How many folders, from the outermost on, hold everything."""
    levels = zip(*(name.parts[:-1] for name in names), strict=False)
    return sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))


def _text(name: str) -> str:
    """A name as text, which JSON can hold."""
    return os.fsencode(name).decode("utf-8", "replace")


def _open_file(path: Path) -> IO[bytes]:
    return path.open("rb")


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if info.file_size > LARGEST:
        raise ValueError(f"unpacks to {info.file_size:,} bytes, more than {LARGEST:,}")
    return archive.open(info)


def _status(path: Path) -> os.stat_result:
    """Of the file, or of the link where it leads nowhere."""
    try:
        return path.stat()
    except OSError:
        return path.lstat()
