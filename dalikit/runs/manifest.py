"""What a folder of weights consists of: whose it is, of which step, and the digest of every file."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from dalikit.files import EARLIER
from dalikit.plainfiles import open_plain
from dalikit.runs.files import forbidden
from dalikit.runs.sealing import digest, is_sealed, seal_object

MANIFEST = "manifest.json"

MOST = 1 << 24
"""Bytes of a manifest at most."""


class DamagedError(Exception):
    """Files are not what their manifest says; the message says which."""


class FileFacts(BaseModel):
    """How long a file is, or was when it had yet to grow, and the SHA-256 of that much of it."""

    model_config = ConfigDict(frozen=True)

    size: int
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> "FileFacts":
        """The facts of what a file holds."""
        return cls(size=len(content), sha256=digest(content))

    def holds(self, content: bytes) -> bool:
        """Whether a file's content, or as much of it as there was, is this one."""
        return len(content) >= self.size and digest(content[: self.size]) == self.sha256


class ComponentFacts(BaseModel):
    """A component that a run is made of, and the distribution that it came from."""

    model_config = ConfigDict(frozen=True)

    kind: str
    name: str
    distribution: str
    version: str


class Manifest(BaseModel):
    """The facts of a folder of weights.

    Attributes:
        format: of this layout.
        run: the identity of the run that wrote it.
        step: of the weights.
        settings: the digest of the run's configuration, but for how long it trains.
        components: what the run is made of.
        infinite: names of the method's tensors that are not finite by design.
        files: those of the folder, by name.
        log: the run's log as far as it went.
    """

    model_config = ConfigDict(frozen=True)

    format: int = 1
    run: str
    step: int
    settings: str
    components: tuple[ComponentFacts, ...] = ()
    infinite: tuple[str, ...] = ()
    files: Mapping[str, FileFacts]
    log: FileFacts | None = None

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest of a folder.

        Raises:
            DamagedError: there is none that is whole.
            UserError: this user may not read it.
        """
        try:
            content: Any = json.loads(_read(folder / MANIFEST, MOST))
            if not isinstance(content, dict) or not is_sealed(content):
                raise DamagedError(f"{folder.name}/{MANIFEST} is not as it was written")
            return cls.model_validate(content)
        except (ValueError, RecursionError, ValidationError):
            raise DamagedError(f"{folder.name}/{MANIFEST} is not as it was written") from None

    def text(self) -> str:
        """As JSON, sealed."""
        return json.dumps(seal_object(self.model_dump(mode="json")), indent=2)

    def content(self, folder: Path, name: str) -> bytes:
        """What a file of the folder holds, which is what was written.

        Raises:
            DamagedError: it is missing or something else.
            UserError: this user may not read it.
        """
        facts = self.files.get(name)
        content = b"" if facts is None else _read(folder / name, facts.size)
        if facts is None or facts.size != len(content) or not facts.holds(content):
            raise DamagedError(f"{folder.name}/{name} is not as it was written")
        return content

    def unfit(self, folder: Path, run: str) -> str | None:
        """Why the folder is not of the run of this identity, or None."""
        if self.run != run:
            return f"{folder.name} is of another run"
        own = folder.name.removesuffix(EARLIER) == f"step-{self.step:06d}"
        return None if own else f"{folder.name} is of another step"


def facts_of(folder: Path) -> Iterator[tuple[str, FileFacts]]:
    """Each file of a folder by name, with its facts."""
    for path in sorted(folder.iterdir()):
        yield path.name, FileFacts.of(path.read_bytes())


def _read(path: Path, most: int) -> bytes:
    """What a file holds, but no more than a byte over `most`, which is then too many."""
    try:
        with open_plain(path) as file:
            return file.read(most + 1)
    except PermissionError:
        raise forbidden(path) from None
    except OSError as error:
        raise DamagedError(f"{path.parent.name}/{path.name}: {error.strerror}") from None
