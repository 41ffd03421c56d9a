"""Print a hash of all weights after a few steps of every method, and of every game × posterior of DALI.

    python docs/results/hashes.py > docs/results/hashes.txt

A change that means to alter no number must leave every line as it is, on one machine with one thread. The
hash is over the sorted digests of the tensors' bytes, without their names, so that modules may be renamed.
"""

import hashlib
import io
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file

from dalikit.cli.main import main

STEPS = 30
METHODS = (
    *("aae", "age", "ali", "alice", "avb", "dali", "gan", "ian", "infogan", "inversion", "mdgan"),
    *("unrolled", "vae", "vaegan", "veegan"),
)
GAMES = ("gan", "fkl", "wgan", "hinge", "relativistic")
POSTERIORS = ("diag", "identity")
DATA = {"ring8": "mlp", "digits": "dcgan"}
WATCHING = ("progress", "log", "evaluation", "pictures")
QUIET = ["--no-report", *(f"--set=callbacks.{name}=null" for name in WATCHING)]


def train(out: Path, *options: str) -> Path:
    """A run of `STEPS` steps on one thread."""
    words = ["train", *options, "--steps", str(STEPS), "--set", "threads=1", *QUIET, "--out", str(out)]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as errors:
        try:
            main(words)
        except SystemExit as ended:
            if ended.code:
                raise RuntimeError(f"{' '.join(words)}: {errors.getvalue()}") from None
    return out


def weights(run: Path) -> str:
    """The hash of a run's trained weights and buffers."""
    tensors = load_file(run / "checkpoints" / f"step-{STEPS:06d}" / "training.safetensors")
    own = [t for name, t in tensors.items() if name.startswith("method/")]
    digests = sorted(hashlib.sha256(t.numpy().tobytes()).hexdigest() for t in own)
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:16]


def cases(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Each case's name and options."""
    for dataset, backbone in DATA.items():
        data = ["--dataset", dataset, "--backbone", backbone]
        for method in METHODS:
            options = [*data, "--method", method]
            if method == "inversion":
                gan = train(folder / f"{dataset}-frozen", *data, "--method", "gan")
                options += [f"--set={kind}.from_run={gan}" for kind in ("generator", "discriminator")]
            yield f"{method} {backbone} {dataset}", options
    for game in GAMES:
        for posterior in POSTERIORS:
            options = ["--dataset", "digits", "--game", game, "--posterior", posterior]
            yield f"dali {game} {posterior} digits", options


if __name__ == "__main__":
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        for name, options in cases(Path(folder)):
            run = train(Path(folder) / name.replace(" ", "-"), *options)
            print(weights(run), name, flush=True)
    sys.exit(0)
