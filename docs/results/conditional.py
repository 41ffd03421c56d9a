"""Conditional runs: the share of samples under a label that a classifier reads as that label.

    python docs/results/conditional.py [--datasets digits mnist] [--data-root FOLDER] [--out FOLDER]

DALI and ALI on `dcgan` and `mlp`, each with `method.conditional=true` and its data set's recipe besides.
Digits are read by a support vector classifier on pixels, MNIST by the digit scorer that
`dalikit scorer train mnist` makes.
Appends one JSON line for each run to docs/results/conditional.jsonl as it comes out.
"""

import argparse
import json
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from sklearn.svm import SVC
from torch import Tensor

import dalikit
from dalikit.evaluation import scorer
from dalikit.functional.ranges import to_uint8
from dalikit.model import RunModel

SAMPLES = 500
"""For each label."""

QUIET: dict[str, Any] = {"progress": {}, "pictures": {"every": 10_000}, "evaluation": {"every": 10_000}}

WIDE = {"generator": {"width": 512, "depth": 3}, "discriminator": {"width": 512, "depth": 2}}

SETTINGS: dict[tuple[str, str], dict[str, Any]] = {
    ("digits", "mlp"): {name: {"width": 256} for name in ("generator", "discriminator", "encoder")},
    ("mnist", "mlp"): {
        **WIDE,
        "encoder": {"width": 256},
        "game": {"r1": 3.0},
        "trainer": {"lr": 1e-3, "batch_size": 128, "steps": 8000},
    },
}
"""What a multilayer perceptron needs beside the recipe, which is for `dcgan`."""

OWN: dict[tuple[str, str, str], dict[str, Any]] = {("mnist", "mlp", "dali"): {"lam": 1.0}}
"""A method's own settings, where the recipe's are for other networks."""


def digits_reader(model: RunModel) -> tuple[Any, float]:
    """A classifier of 8×8 digits, from samples to labels, and its accuracy on the test part."""
    x, y = model.batch("train")
    classifier = SVC(gamma=0.02).fit(x.flatten(1).numpy(), y.numpy())
    test, labels = model.batch("test")

    def read(samples: Tensor) -> Tensor:
        return torch.from_numpy(classifier.predict(samples.flatten(1).numpy()))

    return read, float((read(test) == labels).double().mean())


def mnist_reader(model: RunModel) -> tuple[Any, float]:
    """The digit scorer, and its accuracy on the test part."""
    network, _ = scorer.load(scorer.default_path(model.root))
    test, labels = model.batch("test")

    def read(samples: Tensor) -> Tensor:
        return network.logits(to_uint8(samples, (-1.0, 1.0))).argmax(1)

    return read, float((read(test) == labels).double().mean())


def measure(dataset: str, method: str, backbone: str, root: Path | None, out: Path) -> dict[str, Any]:
    """Train a run, and read its samples."""
    started = time.monotonic()
    own = OWN.get((dataset, backbone, method), {})
    model = dalikit.train(
        dataset=dataset,
        method={"name": method, "conditional": True, **own},
        backbone=backbone,
        callbacks=QUIET,
        threads=1,
        data_root=root,
        out=out / f"{dataset}-{method}-{backbone}",
        **SETTINGS.get((dataset, backbone), {}),
    )
    read, accuracy = (digits_reader if dataset == "digits" else mnist_reader)(model)
    shares = []
    for label in range(10):
        samples = model.sample(SAMPLES, seed=label, labels=label)
        shares.append(float((read(samples) == label).double().mean()))
    scores, _ = model.evaluate()
    return {
        "dataset": dataset,
        "method": method,
        "backbone": backbone,
        "read_as_their_label": sum(shares) / len(shares),
        "least_of_any_label": min(shares),
        "classifier_accuracy": accuracy,
        "scores": {score.metric: dict(score.values) for score in scores},
        "seconds": round(time.monotonic() - started, 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--datasets", nargs="+", default=["digits", "mnist"])
    parser.add_argument("--methods", nargs="+", default=["dali", "ali"])
    parser.add_argument("--backbones", nargs="+", default=["dcgan", "mlp"])
    parser.add_argument("--data-root", type=Path)
    parser.add_argument(
        "--out", type=Path, default=None, help="folder of the runs; a temporary one unless given"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.out or Path(mkdtemp())
    for dataset in options.datasets:
        for method in options.methods:
            for backbone in options.backbones:
                line = json.dumps(measure(dataset, method, backbone, options.data_root, folder))
                print(line, flush=True)
                with Path(__file__).with_suffix(".jsonl").open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
