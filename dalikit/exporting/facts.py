"""export.json: what was exported of which run, what goes in and comes out, and how it is built again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from dalikit.errors import UserError
from dalikit.exporting.formats import Format
from dalikit.exporting.parts import Part
from dalikit.model import RunModel
from dalikit.plainfiles import read_text
from dalikit.runs import DataFacts
from dalikit.runs.manifest import ComponentFacts

FACTS = "export.json"

BYTES = 1 << 24
"""Of such a file at most."""


FORGOTTEN = {"stamp": None, "preparation": ""}
"""Of the data: what they were trained from, which is no affair of whoever uses the networks."""


class PortFacts(BaseModel):
    """An input or output of a file: its name, the shape of one datum's after the batch, its type."""

    model_config = ConfigDict(frozen=True)

    name: str
    shape: tuple[int, ...]
    dtype: str
    means: str


class PartFacts(BaseModel):
    """A file, what it takes and what it gives."""

    model_config = ConfigDict(frozen=True)

    file: str
    inputs: tuple[PortFacts, ...]
    outputs: tuple[PortFacts, ...]

    @classmethod
    def of(cls, part: Part, suffix: str) -> "PartFacts":
        """Those of a part."""
        ports = {"inputs": map(asdict, part.inputs), "outputs": map(asdict, part.outputs)}
        return cls.model_validate({"file": part.name + suffix, **{n: list(p) for n, p in ports.items()}})


class ExportFacts(BaseModel):
    """What export.json says.

    Attributes:
        format: of the files.
        run: the identity of the run.
        step: of its weights.
        weights: "last" or "best".
        data: what they are, and how what is handed in is prepared.
        parts: the files, by part.
        settings: of the method and its players, as a configuration has them.
        components: what these are made of, and which distributions they come from.
        versions: of dalikit and torch.
    """

    model_config = ConfigDict(frozen=True)

    format: str
    run: str
    step: int
    weights: str
    data: DataFacts
    parts: Mapping[str, PartFacts]
    settings: Mapping[str, Any]
    components: tuple[ComponentFacts, ...]
    versions: Mapping[str, str]

    @classmethod
    def of(cls, model: RunModel, format: Format, parts: Sequence[Part]) -> "ExportFacts":
        """Those of parts of a run's model."""
        players = {"method", *model.config.players}
        return cls(
            format=format.name,
            run=model.run.identity,
            step=model.step,
            weights=model.weights,
            data=model.run.facts.data.model_copy(update=FORGOTTEN),
            parts={part.name: PartFacts.of(part, format.suffix) for part in parts},
            settings=model.config.model_dump(mode="json", include=players),
            components=tuple(each for each in model.run.components if each.kind in players),
            versions={"dalikit": version("dalikit"), "torch": str(torch.__version__)},
        )

    @classmethod
    def read(cls, folder: Path) -> "ExportFacts":
        """Those in a folder.

        Raises:
            UserError: there are none, or they are damaged.
        """
        try:
            return cls.model_validate_json(read_text(folder / FACTS, BYTES))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise UserError(f"{folder} is no export: {FACTS}: {reason}") from None
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"]))
            raise UserError(f"{folder} is no export: {FACTS}: {place}: {fault['msg']}") from None
