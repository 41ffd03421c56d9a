"""`dalikit train` on a folder of images larger than the memory that the process may have.

    python tests/benchmarks/memory.py [--images 8000] [--size 256] [--allowed 700] [--backbone dcgan]

A child process limits its own data segment (RLIMIT_DATA, which counts what is allocated and not what is
mapped) to what it has after its imports plus `--allowed` MiB, and gives the command as a user would: the
default method with its default callbacks and metrics prepares the folder, trains on it for some steps, and is
scored. What is printed is the size of the prepared data beside what was allowed, most of which the layers of
the networks take: 64 pictures of 256×256 at once. Files are mapped from 256 MiB on.
"""

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

MIB = 1 << 20
WIDTHS = {"dcgan": 4, "mlp": 8}
STEPS = 10


MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 18), "MALLOC_ARENA_MAX": "1"}
"""glibc is to give back what is freed: what it keeps for later differs from run to run by hundreds of MiB."""


def make_folder(folder: Path, images: int, size: int) -> None:
    """A tree of JPEG files of flat colours."""
    from PIL import Image

    folder.mkdir()
    for i in range(images):
        colour = (i % 256, i // 256 % 256, 128)
        Image.new("RGB", (size, size), colour).save(folder / f"{i:05d}.jpg")


def data_segment() -> int:
    """Bytes of this process that RLIMIT_DATA counts."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmData:")[1].split()[0]) * 1024


def child(words: list[str], allowed: int) -> None:
    """Run the command within the limit; exits as the command does."""
    import torch
    import torchvision  # noqa: F401 - what the command will import counts for nothing

    from dalikit.assembly import build, resolve  # noqa: F401
    from dalikit.assembly.registry import Registry
    from dalikit.cli.main import main

    Registry.discover()
    torch.set_num_threads(1)
    limit = data_segment() + allowed * MIB
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    main(words)


def command(home: Path, size: int, backbone: str) -> list[str]:
    """What the user types."""
    sets = [f"dataset.path={home / 'images'}", f"dataset.size={size}", "trainer.batch_size=16", "threads=1"]
    sets += [f"{network}.width={WIDTHS[backbone]}" for network in ("generator", "discriminator")]
    words = ["train", "--method", "dali", "--dataset", "folder", "--backbone", backbone]
    words += ["--steps", str(STEPS), "--out", str(home / "run")]
    return words + [word for assignment in sets for word in ("--set", assignment)]


def check(home: Path, allowed: int) -> None:
    """Say what was trained on within what; raises `SystemExit` where the run is not whole."""
    run = home / "run"
    missing = [path for path in ("scores.json", f"checkpoints/step-{STEPS:06d}") if not (run / path).exists()]
    if missing:
        sys.exit(f"the run lacks {', '.join(missing)}")
    (prepared,) = home.glob("folder-*.npz")
    whole = prepared.stat().st_size
    print(f"prepared data {whole / MIB:.0f} MiB, allowed {allowed} MiB: prepared, trained and scored")
    if whole <= allowed * MIB:
        sys.exit("which shows nothing: the data would have fitted into what was allowed")


def main() -> None:
    """Make the folder, run the child, and look at what it left."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--allowed", type=int, default=700)
    parser.add_argument("--backbone", choices=list(WIDTHS), default="dcgan")
    parser.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.allowed)
        return
    with TemporaryDirectory() as name:
        home = Path(name)
        make_folder(home / "images", options.images, options.size)
        words = [sys.executable, __file__, "--allowed", str(options.allowed), "--child"]
        words += command(home, options.size, options.backbone)
        done = subprocess.run(words, check=False, env={**os.environ, **MALLOC, "DALIKIT_DATA": name})
        if done.returncode:
            sys.exit(f"dalikit train ended with {done.returncode}")
        check(home, options.allowed)


if __name__ == "__main__":
    main()
