"""A run's files held against what dalikit wrote: seals, manifests, digests, finiteness, and the log."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dalikit.errors import UserError
from dalikit.interfaces.watching import not_finite
from dalikit.runs.checkpoints import STATE, TRAINING, WEIGHTS
from dalikit.runs.config import RunConfig
from dalikit.runs.continuity import log_faults
from dalikit.runs.directory import SCORES, RunDirectory, no_run
from dalikit.runs.documents import CONFIG, FACTS
from dalikit.runs.facts import FORMAT, BestFacts, FinalScores, RunFacts
from dalikit.runs.fault import Fault
from dalikit.runs.files import read_json, read_model
from dalikit.runs.folder import ASIDE
from dalikit.runs.folders import ATTEMPTS, load_tensors, step_of
from dalikit.runs.log import LOG
from dalikit.runs.manifest import DamagedError, Manifest
from dalikit.runs.sealing import SEAL, is_sealed, is_sealed_text

BEST = "best.json"

NEEDED = {"checkpoints": (WEIGHTS, TRAINING, STATE), "best": (WEIGHTS, BEST)}
"""The files without which a folder of weights is none, by the folder that it lies in."""

EDITED = "is not as it was written"


@dataclass(frozen=True)
class Looked:
    """What a look at a run's files found.

    Attributes:
        faults: what is wrong, each once.
        checkpoints: steps of those that are whole, the first one first.
        best: steps of the best weights that are whole.
        files: how many were read.
        size: their bytes.
        lines: of the log.
    """

    faults: tuple[Fault, ...]
    checkpoints: tuple[int, ...]
    best: tuple[int, ...]
    files: int
    size: int
    lines: int


@dataclass(frozen=True)
class _Folder:
    """A folder of weights that was read, and its manifest if that is whole."""

    path: Path
    faults: tuple[Fault, ...]
    manifest: Manifest | None = None
    best: int | None = None
    """The step that its state says was the best."""

    @property
    def whole(self) -> bool:
        return not self.faults and self.manifest is not None


def check_is_run(path: Path) -> None:
    """Raise `UserError` unless there is a run at `path`, whole or not, of the format that is read here."""
    traces = any((path / name).exists() for name in (CONFIG, LOG, "checkpoints"))
    if not path.is_dir() or not traces:
        raise no_run(path)
    try:
        content = read_json(path / FACTS, path)
    except UserError:
        return  # which is a fault of the run's
    of = content.get("format")
    if isinstance(of, int) and of != FORMAT and (SEAL not in content or is_sealed(content)):
        RunDirectory.open(path)  # raises, for it is of another dalikit


def verify_files(path: Path) -> Looked:
    """Read all files of the run at `path`, and say what of them is not as it was written, or never could be.

    It may be trained meanwhile: a fault that one look has and the next has not was a file that the trainer
    replaced between two reads.
    """
    before, found = _places(path), _look(path)
    for _ in range(ATTEMPTS):
        now = _places(path)
        if not found.faults or now == before:
            break
        again = _look(path)
        kept = tuple(fault for fault in again.faults if fault in found.faults)
        before, found = now, replace(again, faults=kept)
    return found


def _look(path: Path) -> Looked:
    run = RunDirectory(path)
    config, faults = _config(run)
    facts, of_facts = _sealed(run, FACTS, RunFacts)
    scores, of_scores = _scores(run)
    faults = [*faults, *of_facts, *of_scores]
    identity = facts.identity if facts is not None and not of_facts else None
    saved = [_folder(folder, identity) for folder in run.checkpoints()]
    bests = [_folder(folder, identity) for folder in run.bests()]
    faults += [fault for folder in (*saved, *bests) for fault in folder.faults]
    whole = [folder.manifest for folder in saved if folder.whole and folder.manifest is not None]
    trusted = None if faults and any(fault.where == CONFIG for fault in faults) else config
    if trusted is not None and whole and whole[-1].settings != run.settings_digest:
        faults.append(Fault(CONFIG, f"is not what step {whole[-1].step} was trained by"))
    faults += _best_gone(saved, bests, scores)
    lines, of_log = log_faults(
        run, trusted, whole, newest=max(map(_step, saved), default=0), scored=scores.step if scores else None
    )
    read = [folder.manifest for folder in (*saved, *bests) if folder.manifest is not None]
    documents = [path / name for name in (CONFIG, FACTS, SCORES, LOG) if (path / name).is_file()]
    return Looked(
        faults=tuple(dict.fromkeys([*faults, *of_log])),
        checkpoints=tuple(_step(folder) for folder in saved if folder.whole),
        best=tuple(_step(folder) for folder in bests if folder.whole),
        files=len(documents) + sum(len(manifest.files) + 1 for manifest in read),
        size=sum(map(_size, documents)) + sum(f.size for manifest in read for f in manifest.files.values()),
        lines=lines,
    )


def _config(run: RunDirectory) -> tuple[RunConfig | None, list[Fault]]:
    """The configuration if it can be read, and what is wrong with it."""
    try:
        config = run.config  # first: it opens plain files alone
        text = (run.path / CONFIG).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not a text file"
        return None, [Fault(CONFIG, f"{said}")]
    except UserError as error:
        return None, [Fault(CONFIG, _said(error, run.path))]
    return config, [] if is_sealed_text(text) else [Fault(CONFIG, EDITED)]


def _sealed(run: RunDirectory, name: str, model: type[Any]) -> tuple[Any, list[Fault]]:
    """What a sealed file of JSON says if it can be read, and what is wrong with it."""
    try:
        content, found = read_json(run.path / name, run.path), read_model(model, name, run.path)
    except UserError as error:
        return None, [Fault(name, _said(error, run.path))]
    return found, [] if is_sealed(content) else [Fault(name, EDITED)]


def _scores(run: RunDirectory) -> tuple[FinalScores | None, list[Fault]]:
    """The final scores, and what is wrong with them or with those that were put aside."""
    there = [name for name in (SCORES, ASIDE) if (run.path / name).exists()]
    read = {name: _sealed(run, name, FinalScores) for name in there}
    faults = [fault for _, found in read.values() for fault in found]
    scores, own = read.get(SCORES, (None, []))
    return (None if own else scores), faults


def _folder(folder: Path, identity: str | None) -> _Folder:
    """A folder of weights with all that is wrong with it; `identity` is the run's, where that is known."""
    try:
        manifest = Manifest.read(folder)
    except DamagedError as error:
        return _Folder(folder, (_fault(folder, error),))
    name = f"{folder.parent.name}/{folder.name}"
    if unfit := manifest.unfit(folder, manifest.run if identity is None else identity):
        return _Folder(folder, (Fault(name, unfit.removeprefix(f"{folder.name} ")),), manifest)
    needed = NEEDED[folder.parent.name]
    faults = [Fault(f"{name}/{file}", "is missing") for file in needed if file not in manifest.files]
    best: int | None = None
    for file in manifest.files:
        try:
            best = _check_file(folder, manifest, file) or best
        except DamagedError as error:
            faults.append(_fault(folder, error))
    return _Folder(folder, tuple(faults), manifest, best)


def _check_file(folder: Path, manifest: Manifest, file: str) -> int | None:
    """The step that a state says was the best; raises `DamagedError` unless a file is what was written."""
    if file.endswith(".safetensors"):
        prefixed = file == TRAINING  # its names begin with whose they are
        wrong = not_finite(load_tensors(folder, manifest, file))
        wrong = [n for n in wrong if (n.partition("/")[2] if prefixed else n) not in manifest.infinite]
        if wrong:
            more = f", and {len(wrong) - 1} more" if wrong[1:] else ""
            raise DamagedError(f"{folder.name}/{file}: {wrong[0]} is not finite{more}")
        return None
    content = manifest.content(folder, file)
    if file not in (STATE, BEST):
        return None
    try:
        said: Any = (
            json.loads(content) if file == STATE else BestFacts.model_validate_json(content).model_dump()
        )
        if said["step"] != manifest.step:
            raise DamagedError(f"{folder.name}/{file}: it is of step {said['step']}")
        best = said["callbacks"].get("best", {}).get("step") if "callbacks" in said else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DamagedError(f"{folder.name}/{file}: it does not say what it should") from None
    return best if isinstance(best, int) else None


def _best_gone(
    saved: Sequence[_Folder], bests: Sequence[_Folder], scores: FinalScores | None
) -> Iterator[Fault]:
    """Best weights that a checkpoint or the final scores speak of, and that are not there."""
    there = set(map(_step, bests))
    told = [(folder.best, f"step {_step(folder)} was saved") for folder in saved if folder.best is not None]
    if scores is not None and scores.best is not None:
        told.append((scores.best.step, "the final scores were made"))
    for step, when in {step: (step, when) for step, when in told if step not in there}.values():
        yield Fault(f"best/step-{step:06d}", f"is missing, and was the best when {when}")


def _fault(folder: Path, error: DamagedError) -> Fault:
    """What is wrong with a file in a folder of weights, whose message begins with the folder's name."""
    where, _, said = str(error).partition(" " if ": " not in str(error) else ": ")
    return Fault(f"{folder.parent.name}/{where}", said)


def _said(error: UserError, run: Path) -> str:
    """What an error says of a file, without what says which file it is."""
    said = str(error).removeprefix(f"Run {run} is damaged: ").removeprefix(f"Configuration file {run}/")
    return said.removeprefix("config.yaml: ").removeprefix("run.json: ").removeprefix("scores.json: ")


def _step(folder: _Folder) -> int:
    return step_of(folder.path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # which was dropped since
        return 0


def _places(path: Path) -> dict[str, tuple[int, int]]:
    """What changes where a trainer writes beside a reader: a run's documents and folders of weights."""
    run, found = RunDirectory(path), {}
    for each in (path / CONFIG, path / FACTS, path / SCORES, path / LOG, *run.checkpoints(), *run.bests()):
        try:
            status = each.stat()
            found[str(each)] = (status.st_ino, 0 if each.name == LOG else status.st_mtime_ns)
        except OSError:
            continue
    return found
