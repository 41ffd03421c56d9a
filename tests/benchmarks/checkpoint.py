"""What checkpoints cost, with their hashes and flushes, as a share of a training's time.

    python tests/benchmarks/checkpoint.py [--recipe mnist] [--steps 500] [--saves 20] [--data-root DIR]

Trains some steps as the recipe would, then writes checkpoints one after the other into a run's folder, each
of another step and each dropping the oldest, as training does. What is printed is the median time of one over
that of the steps between two at the default interval, and how large one is.
"""

import argparse
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from dalikit.assembly import resolve
from dalikit.assembly.registry import Registry
from dalikit.assembly.timing import threads
from dalikit.data.prepared import data_root
from dalikit.interfaces import TrainingState
from dalikit.training_run import start


def measured(recipe: str, steps: int, saves: int, root: Path, home: Path) -> tuple[float, list[float], int]:
    """Seconds a step, seconds of each checkpoint, and the bytes of one."""
    registry = Registry.discover()
    quiet = dict.fromkeys(("checkpoint", "pictures", "evaluation", "health", "best", "progress"))
    settings = {"trainer": {"steps": steps}, "callbacks": quiet, "threads": 1}
    resolved = resolve.resolve([{"recipe": recipe, **settings}], registry, root)
    with start(resolved, registry, home / "run", root) as training, threads(1):
        begun = time.perf_counter()
        training.trainer.fit()
        step = (time.perf_counter() - begun) / steps
        seconds = []
        for number in range(saves):
            begun = time.perf_counter()
            state = training.trainer.state()
            assert state.nonfinite is None
            later = TrainingState(state.tensors, {**state.scalars, "step": steps + number})
            written = training.run.save_checkpoint(later, 2)
            seconds.append(time.perf_counter() - begun)
        return step, seconds, sum(file.stat().st_size for file in written.iterdir())


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="mnist")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--saves", type=int, default=20)
    parser.add_argument("--every", type=int, default=1000, help="the default of callbacks.checkpoint.every")
    parser.add_argument("--data-root", type=Path, default=data_root())
    asked = parser.parse_args()
    with TemporaryDirectory() as home:
        step, seconds, size = measured(asked.recipe, asked.steps, asked.saves, asked.data_root, Path(home))
    one, most = statistics.median(seconds), max(seconds)
    print(
        f"{asked.recipe}: a checkpoint of {size / 2**20:.1f} MiB takes {1000 * one:.0f} ms (at most "
        f"{1000 * most:.0f}), {100 * one / (asked.every * step):.3f} % of {asked.every} steps of "
        f"{1000 * step:.1f} ms"
    )


if __name__ == "__main__":
    main()
