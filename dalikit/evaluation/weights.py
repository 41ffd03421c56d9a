"""Files of weights, read once: what is hashed, checked and used are the same bytes."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from dalikit.errors import UserError
from dalikit.plainfiles import open_plain

LARGEST = 1 << 30
"""Bytes of a file of weights at most; Inception's has a tenth of that."""


@dataclass(frozen=True)
class WeightsFile:
    """The content of a file, and its SHA-256 in hexadecimal."""

    path: Path
    content: bytes
    sha256: str

    @classmethod
    def read(cls, path: Path) -> "WeightsFile":
        """Read a file.

        Raises:
            UserError: it cannot be read, or is larger than `LARGEST`.
        """
        try:
            with open_plain(path) as file:
                size = os.fstat(file.fileno()).st_size
                content = file.read(size) if size <= LARGEST else b""
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from None
        if size > LARGEST:
            raise UserError(
                f"{path} has {size:,} bytes, and no extractor's weights have more than {LARGEST:,}"
            )
        return cls(path, content, hashlib.sha256(content).hexdigest())
