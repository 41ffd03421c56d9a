"""A tiny training through all that a user's goes through: resolved, saved, stopped, resumed, loaded."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from dalikit import training_run
from dalikit.assembly.checking import kinds_of, roles_of
from dalikit.assembly.registry import Registry
from dalikit.assembly.resolve import Resolved, resolve
from dalikit.errors import DalikitError
from dalikit.interfaces import Callback, Fit
from dalikit.model import RunModel, load
from dalikit.randomness import RandomState
from dalikit.runs import RunDirectory
from dalikit.runs.config import NETWORKS, join, merge

STEPS, STOP = 4, 2

NARROW: Mapping[str, Any] = {
    "generator": {"latent_size": 3, "width": 8},
    **{kind: {"width": 8} for kind in NETWORKS if kind != "generator"},
}
"""What makes the default networks tiny."""

TINY: Mapping[str, Any] = {
    "dataset": "digits",
    "backbone": "mlp",
    "threads": 1,
    "device": "cpu",
    "trainer": {"steps": STEPS, "batch_size": 8},
    "callbacks": {
        **dict.fromkeys(("progress", "pictures", "health")),
        **{name: {"every": 2} for name in ("log", "evaluation", "checkpoint")},
    },
}

LINES = (".csv", ".jsonl", ".tsv", ".txt")
"""How files end that are counted in lines."""


class Stopping(Callback):
    """Stops a training in the middle."""

    name = "stopping-of-the-check"

    def step_end(self, fit: Fit) -> None:
        """Ask for the end once half of it is done."""
        if fit.step == STOP:
            fit.stop()


def check_training(sections: Mapping[str, Any], registry: Registry | None = None) -> None:
    """A few steps on digits go through, a stopped run ends as one that was not, and what is saved is usable.

    Args:
        sections: of a configuration, on top of tiny networks on digits: `{"game": {"name": "mine"}}`.
        registry: the components; all installed ones by default.

    Raises:
        AssertionError: it does not, or not alike.
    """
    known = registry or Registry.discover()
    with TemporaryDirectory() as folder:
        whole, halves = Path(folder) / "whole", Path(folder) / "halves"
        try:
            resolved = resolve([_tiny(sections, known), sections], known)
            _train(resolved, known, whole)
            _train(resolved, known, halves, stopping=True)
            with training_run.resume(halves, known) as training:
                training.fit()
            model = load(whole, registry=known)
        except DalikitError as error:
            raise AssertionError(
                f"a training of {STEPS} steps with it ends in an error ({error}); it should be resolved, "
                "trained, saved, stopped and resumed"
            ) from error
        _check_alike(RunDirectory(whole), RunDirectory(halves))
        _check_usable(model)


def _tiny(sections: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """The settings of a tiny run, with the widths of its networks but for those that the sections name."""
    there = kinds_of(roles_of(merge([TINY, sections]), registry))
    other = {kind for kind in NETWORKS if sections.get("backbone") or "name" in sections.get(kind, {})}
    narrow = {kind: own for kind, own in NARROW.items() if kind in there - other}
    return join([TINY, {"generator": {"latent_size": 3}}, narrow])


def _train(resolved: Resolved, registry: Registry, run: Path, *, stopping: bool = False) -> None:
    with training_run.start(resolved, registry, run) as training:
        if stopping:
            training.trainer.watchers.add(Stopping())
        training.fit()
        if not stopping:
            failures = training.trainer.watchers.failures
            assert not failures, (
                f"callbacks failed ({', '.join(failures)}); each should live through a training"
            )


def _check_alike(whole: RunDirectory, halves: RunDirectory) -> None:
    """Both end with the same tensors, states of callbacks, lines of the log and files."""
    one, other = (run.load_checkpoint().state for run in (whole, halves))
    names = one.tensors.keys() | other.tensors.keys()
    differing = sorted(n for n in names if not _same(one.tensors.get(n), other.tensors.get(n)))
    told = f"a run that was stopped at step {STOP} and resumed"
    assert not differing, (
        f"{told} ends with other {', '.join(differing[:5])}; it should end as one that was not: what goes on "
        "should be in parameters, buffers, an optimizer's state or a callback's"
    )
    for name, state in one.scalars["callbacks"].items():
        found = other.scalars["callbacks"].get(name)
        if name in _own_callbacks(whole):
            assert found == state, (
                f"{told} has {found} as the state of callback '{name}'; it should have {state}"
            )
    for what, find in (("log has", _logged), ("files are", _files)):
        found, wanted = find(halves), find(whole)
        assert found == wanted, (
            f"{told}: its {what} {found}; one that was not stopped should have the same, {wanted}"
        )


def _own_callbacks(run: RunDirectory) -> set[str]:
    """The callbacks that are not always on: a state of those may hold what it has read, and when."""
    return {name for name, params in run.config.callbacks.items() if params is not None} - {
        *TINY["callbacks"],
        "best",
    }


def _same(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    return one is not None and other is not None and torch.equal(one, other)


def _logged(run: RunDirectory) -> list[tuple[str, int]]:
    return [(str(line["event"]), line["step"]) for line in run.log_lines()]


def _files(run: RunDirectory) -> dict[str, int]:
    """What else lies in a run, each with its number of lines, 0 where it is not told in lines."""
    kept = ("checkpoints", "best", "metrics.jsonl", "config.yaml", "run.json", "scores.json")
    paths = [path for path in run.path.rglob("*") if path.is_file() and not path.name.startswith(".")]
    places = {path.relative_to(run.path): path for path in paths}
    return {
        place.as_posix(): path.read_bytes().count(b"\n") if path.suffix in LINES else 0
        for place, path in sorted(places.items())
        if place.parts[0] not in kept
    }


def _check_usable(model: RunModel) -> None:
    method, drawn = model.method, RandomState.seeded(0)
    with torch.no_grad(), drawn.swapped_in():
        y = method.draw_labels(2)
        x = method.generate(method.prior(2), y)
        codes = method.code(x, y) if method.infers else x
    assert bool(x.isfinite().all()), "samples of what was saved are not finite; they should be"
    assert bool(codes.isfinite().all()), "codes of samples are not finite; they should be"
