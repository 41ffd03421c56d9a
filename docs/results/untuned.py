"""Measure what comes out where nobody sets anything, and whether a search over settings finds better.

    python docs/results/untuned.py default DATA [--minutes 10] [--seeds 0 1 2]
    python docs/results/untuned.py search DATA [--minutes 3] [--tries 20]
    python docs/results/untuned.py winners DATA [--minutes 10] [--seeds 0 1 2]
    python docs/results/untuned.py methods DATA [--minutes 3]
    python docs/results/untuned.py unaugmented DATA [--minutes 3 or --steps 3000] [--seeds 0 1 2]
    python docs/results/untuned.py table

DATA is one of the names in `MAKERS`: known data as arrays under a name that no recipe knows. Each run is one
`dalikit train --data FILE --minutes M` in a process of its own, and appends one JSON line to
docs/results/untuned.jsonl: the time from launch to end, and test and validation scores. What is there is not
run again. With `--clock cpu` minutes are those of the process's own computing, on one thread: what else the
machine does meanwhile then changes no run, only how long it takes by the wall clock.

`search` draws settings at random around the default; `winners` runs those again that beat the
default by over 10 % in error or in distance of samples, by validation, without being worse in the other.
"""

import argparse
import json
import math
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch

import dalikit
from dalikit.data import prepared

RESULTS = Path(__file__).with_name("untuned.jsonl")

INFERRING = (
    "aae",
    "age",
    "ali",
    "alice",
    "avb",
    "bigan",
    "dali",
    "dali-l2",
    "ian",
    "mdgan",
    "vae",
    "vaegan",
    "veegan",
)
"""Methods, by recipe, that infer from images and need no other run."""

Arrays = dict[str, np.ndarray]

BY_OWN_CLOCK = (
    "import sys, time; time.monotonic = time.process_time; from dalikit.cli.main import main; main()"
)
"""The command line, with the process's own computing in place of the clock."""


def _known(name: str, root: Path) -> Arrays:
    arrays = prepared.read(root / f"{name}.npz")
    return {key: np.asarray(arrays[key]) for key in ("train_images", "test_images")}


def _few(name: str, root: Path) -> Arrays:
    """About 1,000 images to train on, and the whole test part."""
    arrays = _known(name, root)
    return {**arrays, "train_images": arrays["train_images"][:1112]}


def _three(root: Path) -> Arrays:
    """2,000 images of three classes, in the order of their classes."""
    arrays = prepared.read(root / "cifar10.npz")
    images, labels = arrays["train_images"], arrays["train_labels"]
    rows = np.concatenate([np.flatnonzero(labels == label)[:667] for label in (0, 1, 3)])[:2000]
    return {"images": images[rows], "labels": labels[rows]}


def _digits(size: int) -> Arrays:
    from PIL import Image
    from sklearn.datasets import load_digits

    small = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)
    how = Image.Resampling.BICUBIC
    return {"images": np.stack([np.asarray(Image.fromarray(x).resize((size, size), how)) for x in small])}


def _points(name: str) -> Arrays:
    data = _mixture(name)
    rng = torch.Generator().manual_seed(0)
    return {"x": data.split("train").take(torch.arange(100_000), rng).x.numpy().astype(np.float32)}


def _mixture(name: str) -> Any:
    from dalikit.components.datasets import Grid25, Ring8

    return {"grid": Grid25, "ring": Ring8}[name]()


MAKERS: dict[str, Callable[[Path], Arrays]] = {
    "grey": lambda root: _known("mnist", root),
    "colour": lambda root: _known("cifar10", root),
    "few-grey": lambda root: _few("mnist", root),
    "few-colour": lambda root: _few("cifar10", root),
    "three": _three,
    "small": lambda root: _digits(8),
    "large": lambda root: _digits(32),
    "grid": lambda root: _points("grid"),
    "ring": lambda root: _points("ring"),
}


def drawn(seed: int) -> list[str]:
    """Settings of one try of the search."""
    rng = random.Random(seed)

    def log(low: float, high: float) -> float:
        return round(math.exp(rng.uniform(math.log(low), math.log(high))), 5)

    return [
        rng.choice([f"method.ratio={log(0.1, 3)}", f"method.lam={log(0.1, 10)}"]),
        f"trainer.lr={log(5e-4, 5e-3)}",
        f"rules.r1={log(0.02, 2)}",
        f"generator.latent_size={rng.choice([16, 32, 64, 128, 256])}",
        f"trainer.batch_size={rng.choice([32, 64, 128])}",
        f"trainer.optimizer.betas=[{rng.choice([0.0, 0.5])}, {rng.choice([0.9, 0.99, 0.999])}]",
        f"discriminator.norm={rng.choice(['none', 'batch', 'batch', 'spectral'])}",
        f"rules.wanted={rng.choice([1000, 4000, 16000])}",
    ]


def run(data: str, root: Path, length: dict[str, Any], seed: int, options: list[str], what: str) -> None:
    """Train, score and write a line, unless it is there; `length` is in `minutes` or in `steps`."""
    key = {"what": what, "data": data, **length, "seed": seed, "options": options}
    if any(all({"clock": "wall", **line}.get(name) == key[name] for name in key) for line in lines()):
        return
    file, out = _file(data, root), Path(mkdtemp()) / "run"
    long = [word for name, value in length.items() if name != "clock" for word in (f"--{name}", str(value))]
    words = ["train", "--data", str(file), *long, "--seed", str(seed), *options]
    begun, computed = time.monotonic(), _computed()
    program = ["-m", "dalikit"] if key.get("clock") != "cpu" else ["-c", BY_OWN_CLOCK]
    command = [sys.executable, *program, *words, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    spent = {"seconds": time.monotonic() - begun, "computed": _computed() - computed}
    line = {**key, **{name: round(s, 1) for name, s in spent.items()}, "exit": done.returncode}
    if done.returncode:
        line["fault"] = done.stderr.strip().splitlines()[-1:]
    else:
        line |= _scores(out, data, root)
    with RESULTS.open("a") as results:
        results.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)


def _computed() -> float:
    """Seconds that processes started from here have computed, those that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _file(data: str, root: Path) -> Path:
    file = root / f"untuned-{data}.npz"
    if not file.exists():
        np.savez(file, **MAKERS[data](root))
    return file


def _scores(out: Path, data: str, root: Path) -> dict[str, Any]:
    model = dalikit.load(out)
    trainer, players = model.config.trainer, model.config.players
    found: dict[str, Any] = {"steps": trainer["steps"], "width": players["generator"].params.get("width")}
    asked = ["pixel-frechet", *(["reconstruction"] if model.method.infers else [])]
    for part in ("validation", "test"):
        scores, _ = model.evaluate(asked, part)
        found[part] = {name: value for score in scores for name, value in score.values.items()}
    if model.method.infers:
        train, test = model.data("train", 10_000), model.data("test")
        found["mean_image"] = float(((test - train.mean(0)) / 2).square().mean())
    if data in ("grid", "ring"):
        found["test"] |= _modes(model, data, root)
    if data in ("grey", "few-grey") and (root / "scorer-mnist.safetensors").exists():
        found["test"] |= _digit_score(model, root)
    return found


def _modes(model: Any, data: str, root: Path) -> dict[str, float]:
    """Modes that have a sample within three standard deviations, and the share of samples that are."""
    mean, std = (torch.tensor(each) for each in model.dataset.standardization)
    x, mixture = model.sample(2500, seed=0) * std + mean, _mixture(data)
    distance, mode = torch.cdist(x, mixture.means).min(1)
    good = distance < 3 * mixture.sigma
    return {"modes": len(mode[good].unique()), "high_quality": float(good.double().mean())}


def _digit_score(model: Any, root: Path) -> dict[str, float]:
    """The inception score by the digit scorer, of 10,000 samples."""
    from dalikit.evaluation import scorer
    from dalikit.functional.ranges import to_uint8

    network, _ = scorer.load(root / "scorer-mnist.safetensors")
    x = to_uint8(model.sample(10_000, seed=0), (-1.0, 1.0))
    with torch.no_grad():
        logits = torch.cat([network(part)[1] for part in x.split(500)])
    return {"score": scorer.inception_score(logits)[0]}


def lines() -> Iterator[dict[str, Any]]:
    """What has been measured."""
    if RESULTS.exists():
        yield from map(json.loads, RESULTS.read_text().splitlines())


def winners(data: str) -> list[list[str]]:
    """The settings of the search that beat the default at the same minutes, by validation."""
    tries = [
        line for line in lines() if line["data"] == data and line["what"] == "search" and not line["exit"]
    ]
    plain = next(line for line in tries if not line["options"])
    return [line["options"] for line in tries if line["options"] and beats(line, plain)]


def beats(line: dict[str, Any], other: dict[str, Any], part: str = "validation") -> bool:
    """Whether one is better by over 10 % in error or in distance of samples, and not worse in the other."""
    pairs = [(line[part][name], other[part][name]) for name in ("mse_01", "distance")]
    return any(a < 0.9 * b for a, b in pairs) and all(a <= 1.1 * b for a, b in pairs)


COLUMNS: dict[str, tuple[str, ...]] = {
    "test MSE": ("test", "mse_01"),
    "mean image": ("mean_image",),
    "pixel Fréchet": ("test", "distance"),
    "score": ("test", "score"),
    "modes": ("test", "modes"),
    "high quality": ("test", "high_quality"),
    "seconds": ("seconds",),
}


def table() -> None:
    """Print what has been measured, the means over seeds, as Markdown."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for line in lines():
        long = f"{line['minutes']:g} min" if "minutes" in line else f"{line['steps']:,} steps"
        key = (line["data"], line["what"], long, " ".join(line["options"]))
        groups.setdefault(key, []).append(line)
    heads = ["data", "what", "length", "options", "seeds", *COLUMNS]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for key, found in sorted(groups.items()):
        sound = [line for line in found if not line["exit"]]
        figures = [_mean(sound, path) for path in COLUMNS.values()]
        print("| " + " | ".join([*key, str(len(sound)), *figures]) + " |")


def _mean(found: list[dict[str, Any]], path: tuple[str, ...]) -> str:
    values: list[Any] = found
    for name in path:
        values = [value[name] for value in values if name in value]
    return f"{sum(values) / len(values):.4g}" if values else ""


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["default", "search", "winners", "methods", "unaugmented", "table"])
    parser.add_argument("data", nargs="?", choices=list(MAKERS))
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int, help="in place of minutes")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="what minutes are of")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--data-root", type=Path, default=prepared.data_root())
    asked = parser.parse_args()
    if asked.what == "table":
        return table()
    root, minutes = asked.data_root, asked.minutes or (10.0 if asked.what in ("default", "winners") else 3.0)
    length = {"steps": asked.steps} if asked.steps else {"minutes": minutes, "clock": asked.clock}

    def settings(pairs: list[str]) -> list[str]:
        return [word for pair in pairs for word in ("--set", pair)]

    if asked.what == "default":
        runs = [(seed, []) for seed in asked.seeds]
    elif asked.what == "search":
        runs = [(0, []), *((0, settings(drawn(attempt))) for attempt in range(asked.tries))]
    elif asked.what == "unaugmented":
        runs = [(seed, ["--augmentation", "none"]) for seed in asked.seeds]
    elif asked.what == "methods":
        runs = [(0, ["--recipe", method]) for method in INFERRING]
    else:
        runs = [(seed, options) for options in winners(asked.data) for seed in asked.seeds]
    for seed, options in runs:
        run(asked.data, root, length, seed, options, asked.what)
    return None


if __name__ == "__main__":
    main()
