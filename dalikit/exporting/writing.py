"""The folder of an export: files that were checked by running them, how to call them, and facts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dalikit.errors import RunError, UserError
from dalikit.exporting.checking import difference
from dalikit.exporting.facts import FACTS, ExportFacts
from dalikit.exporting.formats import Format
from dalikit.exporting.onnx import ONNX
from dalikit.exporting.parts import PARTS, PartName, names_of, part_of
from dalikit.exporting.readme import readme
from dalikit.exporting.safetensors import SAFETENSORS
from dalikit.exporting.torch_export import TORCH_EXPORT
from dalikit.files import whole_folder_or_not
from dalikit.model import RunModel

FORMATS: Mapping[str, Format] = {each.name: each for each in (ONNX, TORCH_EXPORT, SAFETENSORS)}

README = "README.md"


def export(
    model: RunModel, out: str | Path, format: str = "onnx", parts: Sequence[PartName] | None = None
) -> dict[PartName, float]:
    """Write parts of a run's model into a folder of their own, each checked by running it.

    Args:
        model: whose averaged weights are written.
        out: the folder; an earlier export there is replaced.
        format: "onnx", "torch-export" or "safetensors".
        parts: some of "generator", "encoder", "both"; all that the method has unless given.

    Returns:
        For each part the largest difference from the model, of batches of 1 and of 5.

    Raises:
        UserError: the method has no such part, a package is missing, or the folder holds what is no export.
        RunError: a part cannot be had in this format, what was written differs from the model by more than
            1e-4, or the disk is full; what was in the folder is there as before.
    """
    kind, folder = format_of(format), Path(out)
    kind.check_installed()
    check_replaceable(folder)
    made = [part_of(model.method, name) for name in (parts or names_of(model.method))]
    facts = ExportFacts.of(model, kind, made)
    try:
        with whole_folder_or_not(folder) as unfinished:
            (unfinished / FACTS).write_text(
                facts.model_dump_json(indent=2, exclude_defaults=True), encoding="utf-8"
            )
            for part in made:
                kind.save(part, unfinished)
            off = {part.name: difference(part, kind.load(unfinished, part.name)) for part in made}
            (unfinished / README).write_text(readme(model, kind, made, off), encoding="utf-8")
    except OSError as error:
        raise RunError(f"Cannot write {folder}: {error.strerror or error}") from None
    return off


def format_of(name: str) -> Format:
    """The format of a name; raises `UserError` where there is none."""
    if name not in FORMATS:
        raise UserError(f"--format {name}: it is one of {', '.join(FORMATS)}")
    return FORMATS[name]


def check_replaceable(folder: Path) -> None:
    """Raise `UserError` unless a folder is free, or holds an earlier export and nothing besides."""
    if not folder.exists():
        return
    own = {FACTS, README} | {name + each.suffix for name in PARTS for each in FORMATS.values()}
    if not folder.is_dir() or (strange := sorted({path.name for path in folder.iterdir()} - own)):
        what = "is a file" if not folder.is_dir() else f"holds {strange[0]}, which is no export's"
        raise UserError(f"{folder} {what}: choose another folder")
