"""Runs cases, one after another in one process: importing torch takes longer than a hundred of them."""

import importlib
import io
import json
import os
import shutil
import sys
import tempfile
import time
import warnings
from dataclasses import asdict
from pathlib import Path

from tests.reliability.fuzzing import arrays, configurations, files, pictures, plugins
from tests.reliability.fuzzing.case import Case, Maker, Place, rng_of
from tests.reliability.fuzzing.verdict import Result
from tests.reliability.fuzzing.watch import Watch, forget_peak, peak, tree

MAKERS: dict[str, Maker] = {
    "configurations": configurations.make,
    "images": pictures.make,
    "arrays": arrays.make,
    "yaml": configurations.mutated,
    "zip": files.zipped,
    "parquet": files.table,
    "safetensors": files.weights,
    "runs": files.of_run,
    "plugins": plugins.make,
}
"""By kind, what makes a case."""


def place_of(root: Path, kind: str, number: int) -> Place:
    """The place of a case: a new, empty folder below `root`, where the runs lie."""
    folder = root / f"{kind}-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "out").mkdir(parents=True)
    runs = {path.name: path for path in sorted((root / "runs").iterdir())}
    return Place(folder, runs, root / "canary")


def made(root: Path, kind: str, seed: int, number: int) -> tuple[Case, Place]:
    """The case, and its place with all that it reads."""
    place = place_of(root, kind, number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that are made to write what nobody should
        return MAKERS[kind](rng_of(kind, seed, number), place), place


class Worker:
    """Runs cases below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.watch = Watch()

    def run(self, kind: str, seed: int, number: int) -> Result:
        """Make a case and run it."""
        case, place = made(self.root, kind, seed, number)
        before = {**tree(place.folder), **tree(self.root / "runs")}
        os.chdir(place.out)
        sys.path[:0] = map(str, case.path)
        importlib.invalidate_caches()
        forget_peak()
        started = time.monotonic()
        try:
            with self.watch.over(place.out, Path(os.devnull)) as noted:
                code, out, err = _main(case.words)
        finally:
            del sys.path[: len(case.path)]
            os.chdir(self.root)
        seconds, most = time.monotonic() - started, peak()
        after = {**tree(place.folder), **tree(self.root / "runs")}
        return Result(
            code, out, err, seconds, most, (*noted, *differ(before, after, place)), place.canary.exists()
        )


def differ(before: dict, after: dict, place: Place) -> list[str]:
    """The paths outside the output folder that are not what they were."""
    changed = (path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return [path for path in changed if not path.startswith(f"{place.out}/")]


def _main(words: list[str]) -> tuple[int, str, str]:
    """Run the command line with its outputs, C libraries' too, in files; gives its exit code and those."""
    from dalikit.cli.main import main

    paths = [Path(f"/proc/self/fd/{n}") for n in (1, 2)]
    for n in (1, 2):
        os.ftruncate(n, 0)
        os.lseek(n, 0, os.SEEK_SET)
    sys.stdout = _text(1, "strict")
    sys.stderr = _text(2, "backslashreplace")
    try:
        main(words)
        code: object = None
    except SystemExit as end:
        code = end.code
    except BaseException as error:  # what a process would end with, and a traceback
        print(f"Traceback (most recent call last): {type(error).__name__}: {error}", file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    out, err = (path.read_bytes().decode("utf-8", "replace") for path in paths)
    return code if isinstance(code, int) else 1, out, err


def _text(descriptor: int, errors: str) -> io.TextIOWrapper:
    """A standard stream as Python opens it."""
    raw = os.fdopen(descriptor, "wb", closefd=False)
    return io.TextIOWrapper(raw, encoding="utf-8", errors=errors, write_through=True)


def _warm_up(run: Path) -> None:
    """Go on with a copy of a run by a step: what libraries do once in a process is no case's doing."""
    import platform

    import torchvision  # noqa: F401

    platform.platform()  # which asks the system by a program, once

    copy = Path(tempfile.mkdtemp()) / "run"
    shutil.copytree(run, copy)
    _main(["train", "--resume", str(copy), "--steps", "2", "--no-report"])
    shutil.rmtree(copy.parent)


def serve(root: Path) -> None:
    """Answer lines `kind seed number` on standard input, each by a line of JSON on standard output."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    for n in (1, 2):
        os.dup2(os.open(root / f"output-{n}-{os.getpid()}", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), n)
    worker = Worker(root)
    _warm_up(root / "runs" / "colour")
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        kind, seed, number = line.split()
        print(json.dumps(asdict(worker.run(kind, int(seed), int(number)))), file=answers, flush=True)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    serve(Path(sys.argv[1]))
