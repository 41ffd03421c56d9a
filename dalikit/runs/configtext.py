"""Configurations as text: a file's settings, those of one `key=value`, and a whole one written."""

import json
from pathlib import Path
from typing import Any

import yaml

from dalikit.errors import UserError, shortened
from dalikit.plainfiles import read_text
from dalikit.runs import yamltext
from dalikit.runs.config import RunConfig


def from_file(path: Path) -> dict[str, Any]:
    """The settings in a YAML (or JSON) file.

    Raises:
        UserError: the file cannot be read, or holds no mapping.
    """
    try:
        settings = yamltext.parse(read_text(path, yamltext.BYTES))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise UserError(f"Configuration file {path}: {reason}") from None
    except UserError as error:
        raise UserError(f"Configuration file {path}: {error}") from None
    if not isinstance(settings, dict):
        raise UserError(f"Configuration file {path} holds no 'section: value' lines")
    return settings


def from_assignment(text: str) -> dict[str, Any]:
    """The settings that one `dotted.key=value` means; the value is read as YAML.

    Examples:
        >>> from_assignment("trainer.batch_size=128")
        {'trainer': {'batch_size': 128}}
        >>> from_assignment("trainer.lr=1e-4")
        {'trainer': {'lr': 0.0001}}

    Raises:
        UserError: there is no `=`, no key, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    parts = key.split(".")
    if not equals or not all(parts):
        raise UserError(f"--set {shortened(text)}: write it as section.key=value, e.g. --set method.lam=0.5")
    if len(parts) > yamltext.DEPTH:
        raise UserError(f"--set {shortened(text)}: more than {yamltext.DEPTH} levels")
    try:
        setting = yamltext.parse(value)
    except UserError as error:
        raise UserError(f"--set {shortened(text)}: no YAML value that can be read: {error}") from None
    for part in reversed(parts):
        setting = {part: setting}
    return setting


def to_yaml(config: RunConfig) -> str:
    """The configuration as YAML that `from_file` reads back."""
    settings = json.loads(config.model_dump_json(exclude_none=False))
    return yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=100)
