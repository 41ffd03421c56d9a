"""Preparing and training on a folder of images larger than the memory that the process may have.

    python tests/benchmarks/memory.py [--images 4000] [--size 256] [--allowed 400]

A child process limits its own data segment (RLIMIT_DATA, which counts what is allocated and not what is
mapped) to what it has after its imports plus `--allowed` MiB, prepares the folder, and trains on it for some
steps. What is printed is the size of the prepared data beside what was allowed. Files are mapped from 256 MiB
on.
"""

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

MIB = 1 << 20


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


def child(folder: str, size: int, allowed: int) -> None:
    """Train within the limit."""
    import torch

    from dalikit.components.datasets.folder import Folder
    from dalikit.components.games.gan import GAN
    from dalikit.components.methods.gan import PlainGAN
    from dalikit.components.networks.mlp import MLPDiscriminator, MLPGenerator
    from dalikit.training import Trainer

    torch.set_num_threads(1)
    limit = data_segment() + allowed * MIB
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    data = Folder(path=folder, size=size)
    split = data.split("train")
    generator = MLPGenerator(4, data.x_shape, data.value_range, width=8)
    method = PlainGAN(generator, MLPDiscriminator(data.x_shape, width=8), GAN())
    trainer = Trainer(method, data, steps=20, batch_size=16)
    trainer.fit()
    whole = data.path.stat().st_size
    print(
        f"{len(split)} training images; prepared data {whole / MIB:.0f} MiB, allowed {allowed} MiB: trained"
    )


def main() -> None:
    """Make the folder and run the child."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--allowed", type=int, default=400)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        child(options.folder, options.size, options.allowed)
        return
    with TemporaryDirectory() as home:
        folder = Path(home) / "images"
        make_folder(folder, options.images, options.size)
        words = [sys.executable, __file__, "--folder", str(folder)]
        words += ["--size", str(options.size), "--allowed", str(options.allowed)]
        subprocess.run(words, check=True, env={**os.environ, "DALIKIT_DATA": home})


if __name__ == "__main__":
    main()
