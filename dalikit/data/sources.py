"""Where a user's pictures lie: in a tree of files, in a zip, or in a column of parquet files."""

import os
import zipfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import IO

from PIL import Image

from dalikit.data.imagefiles import NO_PICTURES, reason
from dalikit.data.layout import Entry, entries_of, hidden
from dalikit.data.splits import PARTS
from dalikit.errors import UserError, shortened
from dalikit.interfaces import Part
from dalikit.plainfiles import open_plain

LARGEST = 1 << 28
"""The most bytes that a file in a zip may unpack to: 256 MiB."""

PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How files in a zip may be packed: others are unpacked a whole block at once, which may be gigabytes."""

ALIKE = (".heic", ".heif", ".avif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".svg", ".eps")
"""Endings of files that people take for pictures, and that are passed over where Pillow reads none."""

Opener = Callable[[], IO[bytes]]


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

    @cached_property
    def given(self) -> tuple[Part, ...]:
        """Which of the parts beside the training part were given."""
        return tuple(part for part in PARTS[1:] if any(entry.part == part for entry in self.entries))

    @property
    @abstractmethod
    def passed_over(self) -> Sequence[str]:
        """What lies there and is not read though it could be meant, with how much of it."""


class Files(Source, ABC):
    """Files that are pictures by their suffix; hidden ones are passed over."""

    @property
    @abstractmethod
    def names(self) -> Sequence[PurePosixPath]:
        """Of all files, in order."""

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """All pictures, by name."""
        names = self._pictures
        return entries_of(names, self.path) if self.divided else [Entry(str(name)) for name in names]

    @property
    def passed_over(self) -> Sequence[str]:
        """Pictures beside the parts, and files that people take for pictures."""
        beside = len(self._pictures) - len(self.entries)
        endings = Counter(name.suffix.lower() for name in self.names if not hidden(name))
        unread = {e: n for e, n in endings.items() if e in ALIKE and not is_picture(f"x{e}")}
        return (
            *([f"{beside:,} beside the folders of the parts not read"] if beside else []),
            *(f"{n:,} {ending} not read: save them as JPEG or PNG" for ending, n in sorted(unread.items())),
            *(
                [f"{endings['.parquet']:,} .parquet not read: name one itself, or a folder of them"]
                if ".parquet" in endings
                else []
            ),
        )

    @cached_property
    def _pictures(self) -> list[PurePosixPath]:
        return [name for name in self.names if is_picture(name.name) and not hidden(name)]


class Tree(Files):
    """Files below a folder, links that lead nowhere among them; links to folders are not followed."""

    @cached_property
    def names(self) -> Sequence[PurePosixPath]:
        """Of all files, in order."""
        try:
            files = [file for file in self.path.rglob("*") if not file.is_dir()]
        except OSError as error:
            raise UserError(f"{self.path} cannot be searched: {reason(error)}") from None
        return sorted(PurePosixPath(file.relative_to(self.path).as_posix()) for file in files)

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
        return (partial(open_plain, self.path / entry.name) for entry in self.entries)


class Zip(Files):
    """Files in a zip, read where they lie: nothing is unpacked to the disk."""

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        try:
            with open_plain(self.path) as file, zipfile.ZipFile(file) as archive:
                infos = [info for info in archive.infolist() if not info.is_dir()]
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
            raise UserError(f"{self.path} is no zip that can be read: {reason(error)}") from None
        named = {PurePosixPath(info.filename): info for info in infos}
        for name in named:
            if name.is_absolute() or ".." in name.parts:
                raise UserError(
                    f"{self.path}: '{shortened(str(name))}' leads out of the zip; pack it anew, with plain "
                    "names"
                )
        return {str(name): info for name, info in named.items()}

    @cached_property
    def names(self) -> Sequence[PurePosixPath]:
        """Of all files, in order."""
        return sorted(map(PurePosixPath, self._members))

    @cached_property
    def state(self) -> bytes:
        """Name and checksum of each file."""
        return repr([(entry.name, self._members[entry.name].CRC) for entry in self.entries]).encode()

    def openers(self) -> Iterator[Opener]:
        """What opens each file."""
        with zipfile.ZipFile(self.path) as archive:
            for entry in self.entries:
                yield partial(_open_member, archive, self._members[entry.name])


def is_picture(name: str) -> bool:
    """Whether a file is a picture, by its suffix."""
    kind = Image.registered_extensions().get(PurePosixPath(name).suffix.lower())
    return kind is not None and kind in Image.OPEN and kind not in NO_PICTURES


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if info.compress_type not in PACKED:
        raise ValueError("packed in a way whose size is not known beforehand: pack it by 'deflate'")
    if info.file_size > LARGEST:
        raise ValueError(f"unpacks to {info.file_size:,} bytes, more than {LARGEST:,}")
    return archive.open(info)


def _status(path: Path) -> os.stat_result:
    """Of the file, or of the link where it leads nowhere."""
    try:
        return path.stat()
    except OSError:
        return path.lstat()
