"""What lies ready: data that were prepared, and weights that metrics measure with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dalikit.data import prepared
from dalikit.errors import UserError
from dalikit.evaluation import scorer
from dalikit.evaluation.fidelity.inception import default_path as inception_path
from dalikit.evaluation.weights import WeightsFile

State = Literal["present", "missing", "damaged"]


@dataclass(frozen=True)
class Prepared:
    """A prepared file: its bytes, its arrays' shapes, and why it cannot be read, or ""."""

    path: str
    size: int
    arrays: dict[str, tuple[int, ...]]
    wrong: str = ""


@dataclass(frozen=True)
class Weights:
    """A file of weights: what it is for, its state, and what to do about that, or what it says of itself."""

    what: str
    path: str
    state: State
    detail: str


def prepared_files(root: Path) -> list[Prepared]:
    """The prepared files under the data root, by name; their headers are read, and no data."""
    files = sorted(path for path in root.glob("*.npz") if path.is_file()) if root.is_dir() else []
    return [_prepared(path) for path in files]


def weights(root: Path) -> list[Weights]:
    """Those of torch-fidelity's Inception, and of the digit scorer under the data root; none are fetched."""
    inception, digits = inception_path(), scorer.default_path(root)
    fetched = "fetched when first needed; without a network, put the file there from a machine that has it"
    trained = "made by dalikit scorer train mnist, in well under an hour"
    return [
        _weights("Inception (metric fidelity)", inception, fetched, _inception_says),
        _weights("digit scorer (fidelity of digits, stacked-modes)", digits, trained, _digits_say),
    ]


def _prepared(path: Path) -> Prepared:
    try:
        arrays = {name: shape for name, (shape, _) in prepared.shapes(path).items()}
        return Prepared(str(path), path.stat().st_size, arrays)
    except (UserError, OSError) as error:
        return Prepared(str(path), 0, {}, str(error))


def _weights(what: str, path: Path, how: str, says: Callable[[Path], str]) -> Weights:
    if not path.is_file():
        return Weights(what, str(path), "missing", how)
    try:
        return Weights(what, str(path), "present", says(path))
    except UserError as error:
        return Weights(what, str(path), "damaged", f"{error}; remove the file: {how}")


def _inception_says(path: Path) -> str:
    """The digest of Inception's file, whose name ends with how that begins; raises `UserError` of another."""
    digest = WeightsFile.read(path).sha256
    if not digest.startswith(path.stem.rsplit("-", 1)[1]):
        raise UserError(f"{path.name} has the SHA-256 {digest[:16]}…, and not the one in its name")
    return f"SHA-256 {digest[:16]}…"


def _digits_say(path: Path) -> str:
    """How well the scorer does, and its digest; raises `UserError` where it cannot be used."""
    _, facts = scorer.load(path)
    return f"accuracy {facts['accuracy']:.4f}, SHA-256 {facts['sha256'][:16]}…"
