"""Files that say by a digest of their own whether they are as they were written.

A seal is no signature: it tells damage and edits, whoever made them, from what dalikit wrote.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SEAL = "sha256"
"""The key of a JSON object's seal, and what the last line of a sealed text begins with."""


def digest(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def seal_object(content: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with the seal of all else that it holds.

    Examples:
        >>> is_sealed(seal_object({"step": 1})), is_sealed({**seal_object({"step": 1}), "step": 2})
        (True, False)
    """
    rest = {key: value for key, value in content.items() if key != SEAL}
    return {**rest, SEAL: digest(_canonical(rest))}


def is_sealed(content: Mapping[str, Any]) -> bool:
    """Whether an object, as JSON has it, bears the seal of what it holds."""
    return content.get(SEAL) == seal_object(content)[SEAL]


def seal_text(text: str) -> str:
    """A text of YAML with its seal in a comment at its end.

    Examples:
        >>> is_sealed_text(seal_text("seed: 1\\n")), is_sealed_text(seal_text("seed: 1\\n").replace("1", "2"))
        (True, False)
    """
    return f"{text}# {SEAL}: {digest(text.encode())}\n"


def is_sealed_text(text: str) -> bool:
    """Whether a text ends with the seal of all before it."""
    lines = text.splitlines(keepends=True)
    return bool(lines) and seal_text("".join(lines[:-1])) == text


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
