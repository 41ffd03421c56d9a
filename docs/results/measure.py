"""Measure the studies of docs/results.md: each variant and seed is one run of `dalikit train OPTIONS`.

    python docs/results/measure.py STUDY [--seeds 0 1 2] [--variants NAME ...]
    python docs/results/measure.py STUDY --table

Appends one JSON line for each run to docs/results/STUDY.jsonl as it comes out: the options, the seed, the
scores on the test part, the last ones on the validation part, the seconds it took, and for images the
Fréchet distance, in pixels, between 5,000 samples and the training part. Variants are chosen by validation.
`--table` runs nothing and prints those lines as the Markdown table of docs/results.md.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

import dalikit
from dalikit.errors import DalikitError
from dalikit.runs.config import join
from dalikit.runs.configtext import from_assignment

R1 = ["--set", "game.r1=0.5", "--set", "game.penalty_every=4"]
GRID = ["--recipe", "grid25"]
RING = ["--recipe", "ring8"]
MNIST = ["--recipe", "mnist"]
FALLING = ["--set", "method.lam=0.2", "--set", "method.lam_schedule=linear"]
LAM = ["--set", "method.lam=1.0", "--set", "method.lam_schedule=constant"]
BALANCED = ["--set", "method.lam=balanced"]
UNBOUNDED = ["--set", "posterior.log_variance_min=-60.0"]
PLAIN = [
    *(*GRID, "--set", "method.lam_schedule=constant", "--set", "game.r1=0"),
    *("--set", "trainer.schedule=constant", "--set", "trainer.optimizer.betas=[0.5, 0.999]"),
    *("--set", "trainer.roles.generator.lr=1e-3", "--set", "trainer.roles.encoder.lr=1e-3"),
    *("--set", "trainer.ema=0.0"),
]
"""The grid without what the recipe adds: one constant rate, no R1, no averaged weights."""

STUDIES: dict[str, dict[str, list[str]]] = {
    "digits": {
        "default": [],
        "norm: none": ["--set", "discriminator.norm=none"],
        "norm: none, R1": ["--set", "discriminator.norm=none", *R1],
        "norm: spectral, R1": R1,
        "encoder with a trunk of its own": ["--set", "method.share_features=false"],
        "posterior: identity": ["--posterior", "identity"],
        "lambda 0.05/d": ["--set", "method.lam=0.05"],
        "lambda 0.5/d": ["--set", "method.lam=0.5"],
        "lambda 1/d": ["--set", "method.lam=1.0"],
        "lambda balanced": BALANCED,
        "no averaged weights": ["--set", "trainer.ema=0.0"],
        "game: fkl": ["--game", "fkl", "--set", "trainer.clip_value=1.0"],
        "game: hinge": ["--game", "hinge"],
        "game: wgan": ["--game", "wgan"],
        "game: relativistic": ["--game", "relativistic"],
        "method: gan": ["--method", "gan"],
    },
    "grid25": {
        "default": GRID,
        "lambda falling from 0.2/d": [*GRID, *FALLING],
        "no R1": [*GRID, *FALLING, "--set", "game.r1=0"],
        "lambda 1/d": [*GRID, *LAM],
        "lambda 1/d, sigma unbounded": [*GRID, *LAM, *UNBOUNDED],
        "lambda 1/d, log variance from -2 up": [*GRID, *LAM, "--set", "posterior.log_variance_min=-2.0"],
        "method: gan": [*GRID, "--method", "gan"],
        "plain, lambda 1/d, sigma unbounded": [*PLAIN, *LAM, *UNBOUNDED],
        "plain, unscaled, lambda 1/d, sigma unbounded": [
            *(*PLAIN, *LAM, *UNBOUNDED),
            *("--set", "generator.x_scale=1.0", "--set", "discriminator.x_scale=1.0"),
        ],
        "plain, lambda 1/d, log variance from -2 up": [
            *PLAIN,
            *LAM,
            "--set",
            "posterior.log_variance_min=-2.0",
        ],
        "plain, lambda 0.1/d, sigma unbounded": [*PLAIN, "--set", "method.lam=0.1", *UNBOUNDED],
        "plain, lambda 0.1/d, linear rate, sigma unbounded": [
            *(*PLAIN, "--set", "method.lam=0.1", *UNBOUNDED),
            *("--set", "trainer.schedule=linear"),
        ],
        "plain, posterior: identity, lambda 1/d": [*PLAIN, *LAM, "--posterior", "identity"],
    },
    "mnist": {
        "default": MNIST,
        "lambda balanced": [*MNIST, *BALANCED],
        "lambda balanced, ratio 0.5": [*MNIST, *BALANCED, "--set", "method.ratio=0.5"],
    },
    "ring8": {
        "default": RING,
        "method: gan": [*RING, "--method", "gan"],
        "lambda falling from 0.2/d": [*RING, *FALLING],
        "recipe: dali-wgan": ["--recipe", "dali-wgan", "--dataset", "ring8"],
    },
}


def frechet(a: Tensor, b: Tensor) -> float:
    """‖μ_a - μ_b‖² + tr(C_a + C_b - 2 (C_a C_b)^½) of two samples (N, D)."""
    a, b = a.flatten(1).double(), b.flatten(1).double()
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    # The eigenvalues of C_a C_b are real and not negative; rounding makes them slightly otherwise.
    roots = torch.linalg.eigvals(cov_a @ cov_b).real.clamp(min=0).sqrt().sum()
    return float((a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * roots)


def settings(options: list[str]) -> dict[str, object]:
    """The settings that options of the command line mean, two words each, and no bar of progress."""
    given = zip(options[::2], options[1::2], strict=True)
    found = [from_assignment(value) if name == "--set" else {name[2:]: value} for name, value in given]
    return join([{"callbacks": {"progress": None}}, *found])


def measured(options: list[str], seed: int, run: Path) -> dict[str, object]:
    """One run's record."""
    start = time.monotonic()
    try:
        model = dalikit.train(out=run, seed=seed, **settings(options))
    except DalikitError as error:
        return {"error": f"Error: {error}", "seconds": round(time.monotonic() - start, 1)}
    seconds = round(time.monotonic() - start, 1)
    metrics = json.loads((run / "scores.json").read_text())["metrics"]
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    scores = [line for line in log if line["event"] == "score"]
    validation = {} if not scores else {k: v for k, v in scores[-1].items() if isinstance(v, float | int)}
    losses = [line for line in log if line["event"] == "losses"][-1]
    record = {
        "seconds": seconds,
        "test": {k: v for m in metrics.values() for k, v in m.items() if k != "protocol"},
        "validation": validation,
        "losses": {k: v for k, v in losses.items() if "/" in k},
    }
    samples = model.sample(5000, seed=0)
    if model.spec.value_range is None:
        record["largest |x|"] = float(samples.abs().max())
    else:
        record["frechet_pixels"] = frechet(samples, model.data("train"))
    return record


COLUMNS: dict[str, tuple[str, Callable[[dict], float | None]]] = {
    "validation MSE": ("{:.4f}", lambda r: r["validation"].get("mse_01")),
    "test MSE": ("{:.4f}", lambda r: r["test"].get("mse_01")),
    "Fréchet, pixels": ("{:.2f}", lambda r: r.get("frechet_pixels")),
    "modes": ("{:.0f}", lambda r: r["test"].get("modes")),
    "high quality, %": ("{:.1f}", lambda r: _percent(r["test"].get("high_quality"))),
    "-log q(z\\|x̃)": ("{:.1f}", lambda r: r["losses"].get("generator+encoder/nll")),
    "largest \\|x\\|": ("{:.1f}", lambda r: r.get("largest |x|")),
    "seconds": ("{:.0f}", lambda r: r["seconds"]),
}


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def table(records: list[dict]) -> str:
    """The records as Markdown: a row for each variant, each seed's figure in order."""
    variants = list(dict.fromkeys(record["variant"] for record in records))
    columns = {
        name: column for name, column in COLUMNS.items() if any(_figure(column, r) != "–" for r in records)
    }
    lines = [f"| variant | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for variant in variants:
        rows = sorted((r for r in records if r["variant"] == variant), key=lambda r: r["seed"])
        cells = [", ".join(_figure(c, r) for r in rows) for c in columns.values()]
        if any("error" in row for row in rows):
            cells = [rows[0]["error"], *[""] * (len(columns) - 1)]
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _figure(column: tuple[str, Callable[[dict], float | None]], record: dict) -> str:
    shape, find = column
    value = None if "error" in record else find(record)
    return "–" if value is None else shape.format(value)


def main() -> None:
    """Run the study's variants that are not in its file yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", help="these alone")
    parser.add_argument("--table", action="store_true", help="print what was measured, and run nothing")
    options = parser.parse_args()
    log = Path(__file__).parent / f"{options.study}.jsonl"
    done = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    if options.table:
        print(table(done))
        return
    known = {(record["variant"], record["seed"]) for record in done}
    for variant, words in STUDIES[options.study].items():
        for seed in options.seeds:
            if (variant, seed) in known or (options.variants and variant not in options.variants):
                continue
            with TemporaryDirectory() as folder:
                record = measured(words, seed, Path(folder) / "run")
            head = {"variant": variant, "options": words, "seed": seed}
            with log.open("a") as file:
                file.write(json.dumps({**head, **record}) + "\n")
            print(
                variant, seed, record.get("test", record.get("error")), f"{record['seconds']} s", flush=True
            )


if __name__ == "__main__":
    main()
