"""Ways to harm a run: flipped bits, cuts, files that are gone, and parts of other runs or of its own."""

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dalikit.runs.manifest import MANIFEST, Manifest, facts_of

Harm = Callable[[Path], None]

BLOCK = 4096
DOCUMENTS = ("config.yaml", "run.json", "scores.json", "metrics.jsonl")
SETTINGS = (
    "lam: 0.15",
    "width: 8",
    "seed: 0",
    "lr: 0.002",
    "steps: 20",
    "ema: 0.999",
    "name: digits",
    "depth: 2",
)
FACTS = (
    '"identity": "',
    '"value_range"',
    '"format": 3',
    '"x_shape"',
    '"classes"',
    '"sha256": "',
    '"count": ',
)


def files(run: Path) -> list[str]:
    """All that is to be harmed."""
    found = [str(p.relative_to(run)) for parent in ("checkpoints", "best") for p in run.glob(f"{parent}/*/*")]
    return sorted(found) + list(DOCUMENTS)


def flips(run: Path, number: int, rng: random.Random) -> Iterator[tuple[str, Harm]]:
    """A bit of some file, each file as likely as another."""
    names = files(run)
    for _ in range(number):
        name = rng.choice(names)
        bit = rng.randrange(8 * (run / name).stat().st_size)
        yield f"bit {bit} of {name} flipped", partial(_flip, name, bit)


def cuts(run: Path) -> Iterator[tuple[str, Harm]]:
    """Every file cut at its ends and at the ends of blocks, one byte longer, and gone; every folder gone."""
    for name in files(run):
        size = (run / name).stat().st_size
        for length in sorted({0, 1, size - 1, *range(BLOCK, size, BLOCK)}):
            yield f"{name} cut to {length} of {size} bytes", partial(_cut, name, length)
        yield f"{name} one byte longer", partial(_grow, name)
        yield f"{name} gone", lambda copy, name=name: (copy / name).unlink()
    for folder in ("checkpoints", "best", *sorted({str(Path(n).parent) for n in files(run)} - {"."})):
        yield f"{folder} gone", lambda copy, folder=folder: shutil.rmtree(copy / folder)


def swaps(run: Path, others: Mapping[str, Path], number: int, rng: random.Random) -> list[tuple[str, Harm]]:
    """So many of the exchanges, in some order."""
    every = [*_from_others(run, others), *_from_itself(run), *_forged(run), *_edited()]
    rng.shuffle(every)
    return every[:number]


def _from_others(run: Path, others: Mapping[str, Path]) -> Iterator[tuple[str, Harm]]:
    for whose, other in others.items():
        newest, theirs = (sorted(each.glob("checkpoints/*"))[-1] for each in (run, other))
        best, their_best = (sorted(each.glob("best/*"))[-1] for each in (run, other))
        for mine, source in ((newest, theirs), (best, their_best)):
            place = str(mine.relative_to(run))
            yield f"{place} of {whose}", partial(_copy, place, source)
            for file in sorted(path.name for path in mine.iterdir()):
                yield f"{place}/{file} of {whose}", partial(_copy, f"{place}/{file}", source / file)
        for name in DOCUMENTS:
            yield f"{name} of {whose}", partial(_copy, name, other / name)


def _from_itself(run: Path) -> Iterator[tuple[str, Harm]]:
    for parent in ("checkpoints", "best"):
        folders = sorted(run.glob(f"{parent}/*"))
        for mine in folders:
            for other in folders:
                if mine != other:
                    place = str(mine.relative_to(run))
                    yield f"{place} as that of {other.name}", partial(_copy, place, other)
                    for file in sorted(path.name for path in mine.iterdir()):
                        yield (
                            f"{place}/{file} of {other.name}",
                            partial(_copy, f"{place}/{file}", other / file),
                        )


def _forged(run: Path) -> Iterator[tuple[str, Harm]]:
    """Weights that are changed, with a manifest that vouches for them."""
    changes: dict[str, Callable[[Tensor], Tensor | None]] = {
        "NaN in": lambda t: t.clone().fill_(float("nan")),
        "infinity in": lambda t: t.clone().fill_(float("inf")),
        "missing": lambda t: None,
        "longer": lambda t: torch.cat([t.flatten(), t.flatten()[:1]]),
        "of another type": lambda t: t.to(torch.float16),
    }
    newest = sorted(run.glob("checkpoints/*"))[-1]
    for file in ("averaged.safetensors", "training.safetensors"):
        tensors = load_file(newest / file)
        floats = [
            name for name, tensor in tensors.items() if tensor.dtype == torch.float32 and tensor.numel()
        ]
        chosen = [name for name in floats if re.search(r"weight|exp_avg_sq", name)]
        for what, change in changes.items():
            for name in chosen[:: max(1, len(chosen) // 3)]:
                place = str((newest / file).relative_to(run))
                yield f"{what} {name} of {place}, vouched for", partial(_forge, place, name, change)


def _edited() -> Iterator[tuple[str, Harm]]:
    for setting in SETTINGS:
        yield f"config.yaml: '{setting}' edited", partial(_edit, "config.yaml", setting)
    for fact in FACTS:
        for name in ("run.json", "scores.json"):
            yield f"{name}: {fact} edited", partial(_edit, name, fact)


def _flip(name: str, bit: int, run: Path) -> None:
    content = bytearray((run / name).read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    (run / name).write_bytes(content)


def _cut(name: str, length: int, run: Path) -> None:
    (run / name).write_bytes((run / name).read_bytes()[:length])


def _grow(name: str, run: Path) -> None:
    (run / name).write_bytes((run / name).read_bytes() + b"0")


def _copy(name: str, source: Path, run: Path) -> None:
    if source.is_dir():
        shutil.rmtree(run / name)
        shutil.copytree(source, run / name)
    else:
        shutil.copy(source, run / name)


def _forge(name: str, tensor: str, change: Callable[[Tensor], Tensor | None], run: Path) -> None:
    tensors = load_file(run / name)
    found = change(tensors.pop(tensor))
    save_file(tensors | ({} if found is None else {tensor: found}), run / name)
    folder = (run / name).parent
    manifest = Manifest.read(folder)
    facts = {file: each for file, each in facts_of(folder) if file != MANIFEST}
    (folder / MANIFEST).write_text(manifest.model_copy(update={"files": facts}).text())


def _edit(name: str, what: str, run: Path) -> None:
    """Another number, or another letter, after `what`'s last sign; the file is as sound as before."""
    text = (run / name).read_text()
    place = text.find(what)
    if place < 0:  # it says no such thing, so that another is said
        what, place = "seed", text.find("seed")
    at = next((i for i in range(place + len(what) - 1, len(text)) if text[i].isalnum()), 0)
    other: Sequence[str] = "8642" if text[at].isdigit() else "ace"
    new = next(sign for sign in other if sign != text[at])
    (run / name).write_text(text[:at] + new + text[at + 1 :])
    if name.endswith(".json"):
        json.loads((run / name).read_text())
