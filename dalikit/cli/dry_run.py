"""`dalikit train --dry-run`: what would be trained, and how long it would take; no run is written.

Data are prepared under the data root, as training would prepare them: without them no time can be measured.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dalikit.assembly.outline import Layer
    from dalikit.assembly.registry import Registry
    from dalikit.interfaces import Pace
    from dalikit.runs.config import RunConfig

MIB = 1 << 20


def print_plan(config: "RunConfig", registry: "Registry", root: Path | None) -> None:
    """Print networks, memory, and the time that throwaway copies take."""
    from dalikit.assembly.build import make_dataset, watched_trainer
    from dalikit.assembly.outline import outline
    from dalikit.assembly.timing import measure_pace
    from dalikit.evaluation.scoring import device_of

    dataset = make_dataset(config, registry, root)
    once = config.model_copy(update={"trainer": {**config.trainer, "steps": 1}})
    trainer = watched_trainer(once, registry, dataset, [])
    layers = outline(trainer.method, trainer.fit)
    _print_layers(layers)
    pace = measure_pace(config, registry, dataset)
    state = sum(t.numel() * t.element_size() for t in trainer.state().tensors.values())
    peak = _peak(device_of(trainer.method).type)
    used = "" if peak is None else f"; {peak:,.0f} MiB in use at most"
    print(f"Memory: {state / MIB:,.0f} MiB of weights, moments and averages{used}")
    print(_time(config, pace))


def _print_layers(layers: list["Layer"]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("player", "layer", "", "gives", "parameters", box=None)
    before = ""
    for layer in layers:
        shape = "never asked" if layer.shape is None else "×".join(map(str, layer.shape)) or "a number"
        count = f"{layer.parameters:,}" if layer.parameters else ""
        table.add_row(layer.player if layer.player != before else "", layer.name, layer.kind, shape, count)
        before = layer.player
    Console().print(table)
    totals: dict[str, int] = {}
    for layer in layers:
        totals[layer.player] = totals.get(layer.player, 0) + layer.parameters
    counted = ", ".join(f"{player} {count:,}" for player, count in totals.items() if count)
    print(f"Parameters: {counted}; {sum(totals.values()):,} in all")


def _time(config: "RunConfig", pace: "Pace") -> str:
    steps = config.trainer["steps"]
    evaluation = config.callbacks.get("evaluation")
    pauses = steps // evaluation["every"] if evaluation else 0
    seconds = steps * pace.step + pauses * pace.pause + pace.end
    return (
        f"Time: {steps:,} steps at {1000 * pace.step:.3g} ms, {pauses} pauses at {pace.pause:.2g} s, "
        f"{pace.end:.2g} s for the final scores: {seconds / 60:.1f} minutes"
    )


def _peak(device: str) -> float | None:
    """MiB that were in use at most, of the device's memory or of this process; None where nobody knows."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / MIB
    if sys.platform == "win32":
        return None
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / MIB if sys.platform == "darwin" else used / 1024
