"""`dalikit scorer train mnist`: the digit classifier that scores of digits are measured with."""

import os
import sys
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dalikit.cli import settings
from dalikit.cli.quiet import Quiet
from dalikit.errors import RunError, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from dalikit.evaluation.scorer import DigitScorer, Labelled, ScorerFacts

scorer_app = typer.Typer(help="The digit classifier that scores of digits are measured with.")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(scorer_app, name="scorer", no_args_is_help=True)


@scorer_app.callback()
def _group() -> None:
    """The digit classifier that scores of digits are measured with."""


@scorer_app.command()
def train(
    dataset: Annotated[str, typer.Argument(help="What it learns: mnist.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where to write.", show_default="scorer-mnist.safetensors in the data root"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the training.")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data; the protocol asks for 10.")] = 10,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, … or auto.")] = "cpu",
    data_root: settings.DataRoot = None,
    quiet: Quiet = False,
) -> None:
    """Train the scorer of MNIST to ALICE's protocol, well under an hour on a free CPU core, and keep it."""
    if dataset != "mnist":
        raise UserError(
            f"scorer train {dataset}: the scorer knows digits alone; 'mnist' is what it can learn"
        )
    from dalikit.assembly import build
    from dalikit.assembly.devices import find_device
    from dalikit.assembly.registry import Registry
    from dalikit.evaluation import scorer
    from dalikit.runs.config import RunConfig, Slot

    target = _free(out or scorer.default_path(data_root), force)
    place = find_device(device)
    data = build.make_dataset(RunConfig(dataset=Slot(name=dataset)), Registry.discover(), data_root)
    learn, validation, test = (scorer.read_labelled(data, part) for part in ("train", "validation", "test"))
    started, tell = time.monotonic(), _silent if quiet else _tell
    tell(f"Training the digit scorer on {len(learn[0]):,} images and {scorer.COPIES} jittered copies of each")
    made, best = scorer.train(
        learn, validation, seed=seed, epochs=epochs, device=place, track=partial(_track, quiet), tell=tell
    )
    facts = _facts(made, test, best, data.preparation, seed, epochs)
    scorer.save(made, facts, target)
    tell(f"Trained for {time.monotonic() - started:.0f} s")
    print(f"Accuracy on the {facts.isc_count:,} test images: {facts.accuracy:.4f}")
    print(
        f"Inception score of the {facts.isc_count:,} test images, 10 splits: {facts.isc_mean:.3f} ± "
        f"{facts.isc_std:.3f} shuffled, {facts.isc_in_order_mean:.3f} ± {facts.isc_in_order_std:.3f} in "
        "order (ALICE's scorer: 9.879 ± 0.061)"
    )
    print(f"Wrote {target}")


def _facts(
    made: "DigitScorer", test: "Labelled", best: float, data: str, seed: int, epochs: int
) -> "ScorerFacts":
    from dalikit.evaluation import scorer

    logits = made.logits(test[0])
    shuffled, in_order = (scorer.inception_score(logits, shuffled=shuffle) for shuffle in (True, False))
    return scorer.ScorerFacts(
        width=made.trunk[0].out_channels,  # type: ignore[arg-type]
        features=made.head.in_features,
        data=data,
        seed=seed,
        epochs=epochs,
        accuracy=scorer.accuracy(made, test),
        validation_accuracy=best,
        isc_mean=shuffled[0],
        isc_std=shuffled[1],
        isc_in_order_mean=in_order[0],
        isc_in_order_std=in_order[1],
        isc_count=len(logits),
    )


def _free(path: Path, force: bool) -> Path:
    """The path, if it can be written: better to know before an hour of training than after it."""
    if path.suffix != ".safetensors":
        raise UserError(f"--out {path}: a scorer is written as .safetensors")
    if path.exists() and not force:
        raise UserError(f"{path} is there already: choose another by --out, or give --force to write over it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"Cannot write {path}: {error.strerror or error}") from None
    if not os.access(path.parent, os.W_OK):
        raise RunError(f"Cannot write {path}: its folder is not writable")
    return path


def _track(quiet: bool, batches: Sequence["Tensor"], what: str) -> Iterable["Tensor"]:
    from rich.console import Console
    from rich.progress import track

    shown = Console(stderr=True)
    return track(batches, what, console=shown, transient=True, disable=quiet or not shown.is_terminal)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    """For --quiet."""
