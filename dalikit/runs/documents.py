"""What a run says of itself: its configuration and its facts, written once, sealed, and read back."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dalikit.errors import RunError, UserError
from dalikit.files import write_text
from dalikit.runs.config import RunConfig, merge
from dalikit.runs.configtext import from_file, to_yaml
from dalikit.runs.facts import RunFacts
from dalikit.runs.files import read_json, read_model
from dalikit.runs.sealing import digest, is_sealed, is_sealed_text, seal_object, seal_text

CONFIG, FACTS = "config.yaml", "run.json"


@dataclass(frozen=True)
class RunDocuments:
    """The configuration and the facts of a run on disk, at `path`."""

    path: Path

    @property
    def config(self) -> RunConfig:
        """The resolved configuration.

        Raises:
            UserError: the file is damaged.
        """
        config = merge([from_file(self.path / CONFIG)])
        if config.latent_size is None:
            raise UserError(f"Run {self.path} is damaged: config.yaml does not say generator.latent_size")
        return config

    @property
    def facts(self) -> RunFacts:
        """What run.json says.

        Raises:
            UserError: the file is missing or damaged.
        """
        return read_model(RunFacts, FACTS, self.path)

    @cached_property
    def identity(self) -> str:
        """What tells this run from all others, "" of a folder that is none; raises as `facts` does.

        Read once, as `settings_digest` is: what is edited while it trains is no affair of its checkpoints.
        """
        return self.facts.identity if (self.path / FACTS).exists() else ""

    @cached_property
    def settings_digest(self) -> str:
        """The digest of the configuration as it stands, but for how long it trains."""
        if not (self.path / CONFIG).exists():
            return ""
        stored = from_file(self.path / CONFIG)
        trainer = {key: value for key, value in (stored.get("trainer") or {}).items() if key != "steps"}
        return digest(json.dumps({**stored, "trainer": trainer}, sort_keys=True, default=str).encode())

    def remember(self) -> None:
        """Read what manifests say of the run now; raises as `facts` and `config` do."""
        _ = self.identity, self.settings_digest

    def edited(self) -> list[str]:
        """Names of those of the two files that are not as they were written; raises as `facts` does."""
        try:
            text = (self.path / CONFIG).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            text = ""
        sealed = {CONFIG: is_sealed_text(text), FACTS: is_sealed(read_json(self.path / FACTS, self.path))}
        return [name for name, whole in sealed.items() if not whole]

    def replace_config(self, config: RunConfig) -> None:
        """Write another configuration, e.g. with more steps.

        Raises:
            RunError: the file cannot be written.
        """
        self._write(CONFIG, seal_text(to_yaml(config)))
        vars(self).pop("settings_digest", None)

    def replace_facts(self, facts: RunFacts) -> None:
        """Write other facts; raises as `replace_config` does."""
        self._write(FACTS, json.dumps(seal_object(facts.model_dump(mode="json")), indent=2))
        vars(self).pop("identity", None)

    def _write(self, name: str, text: str) -> None:
        try:
            write_text(self.path / name, text)
        except OSError as error:
            raise RunError(f"Cannot write {self.path / name}: {error.strerror}") from None
