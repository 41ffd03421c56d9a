"""The runs that are attacked: tiny ones of every method, with frequent checkpoints and all that watches."""

import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from processes import Process, command, forked, warm_up

from dalikit.assembly.parameters import check_parameters
from dalikit.assembly.registry import Registry
from dalikit.interfaces import Role

DATA = ("ring8", "digits")
STEPS = 20

WATCHED = {
    "progress": {"every": 4, "seconds": 0.0},
    "log": {"every": 3},
    "evaluation": {"every": 7},
    "pictures": {"every": 6, "count": 4},
    "health": {"every": 8, "count": 16},
    "checkpoint": {"every": 2, "keep": 2},
}
"""Callbacks at steps of their own, and a checkpoint between any two of them."""


def settings(method: str, dataset: str, registry: Registry, frozen: Path | None = None) -> dict[str, Any]:
    """A tiny run; `frozen` is one from which a method takes the networks that it does not train."""
    roles = roles_of(method, registry)
    small: dict[str, dict[str, Any]] = {"generator": {"width": 8, "latent_size": 2}}
    small |= {kind: {"width": 8} for kind in ("discriminator", "encoder")}
    kinds = {role.kind: role for role in roles.values()}
    networks = {kind: given for kind, given in small.items() if kind in kinds}
    for kind in networks:
        if kinds[kind].frozen:
            networks[kind] = {"from_run": str(frozen)}
    trainer = {"steps": STEPS, "batch_size": 16, "schedule": "constant"}
    named = {"method": method, "dataset": dataset, "backbone": "mlp", "threads": 1}
    return {**named, **networks, "trainer": trainer, "callbacks": WATCHED}


def roles_of(method: str, registry: Registry) -> Mapping[str, Role]:
    """What a method asks for by default."""
    cls = registry.get("method", method)
    return cls.roles(**check_parameters(cls, "method", {}))


class Subjects:
    """Runs in a folder: for each method and data set a configuration, and one run that nobody disturbed."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.registry = Registry.discover()
        self.random = random.Random(seed)
        self._made = 0

    @property
    def methods(self) -> Sequence[str]:
        """Those that are registered; the one that makes networks for others first."""
        return sorted(self.registry.names("method"), key=lambda name: name != "gan")

    def config(self, method: str, dataset: str, /, **sections: Any) -> Path:
        """The file with the settings of a run."""
        path = self.folder / f"{method}-{dataset}-{'-'.join(sections)}.yaml"
        given = settings(method, dataset, self.registry, self.folder / f"gan-{dataset}")
        path.write_text(yaml.safe_dump({**given, **sections}))
        return path

    def undisturbed(self, method: str, dataset: str) -> Path:
        """A whole run, made when it is first asked for."""
        run = self.folder / f"{method}-{dataset}"
        if not run.exists():
            if any(role.frozen for role in roles_of(method, self.registry).values()):
                self.undisturbed("gan", dataset)
            self.whole(["train", "--config", self.config(method, dataset), "--out", run])
        return run

    def warm_up(self) -> None:
        """Import what commands do, before any of them is forked."""
        words = ["train", "--config", self.config("dali", "digits"), "--out", self.new()]
        warm_up(lambda: command(words), self.output)

    def whole(self, words: Sequence[object]) -> Process:
        """A command in a fork that must end well."""
        process = self.command(words)
        assert process.wait() == 0, process.said
        return process

    def copy(self, run: Path) -> Path:
        """A copy of a run, to be changed."""
        return Path(shutil.copytree(run, self.new()))

    def command(self, words: Sequence[object]) -> Process:
        """A command in a fork."""
        return forked(lambda: command(words), self.output)

    @property
    def output(self) -> Path:
        """A file for what a process prints, another one each time it is asked for."""
        self._made += 1
        return self.folder / f"{self._made}.out"

    def new(self) -> Path:
        """The folder of a run that is yet to be made."""
        self._made += 1
        return self.folder / f"run-{self._made}"
