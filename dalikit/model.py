"""A trained run as an object that samples, infers and reconstructs."""

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dalikit import hub
from dalikit.assembly import build, checking
from dalikit.assembly.devices import find_device
from dalikit.assembly.inventory import check_present, registry_for, tell_updates
from dalikit.assembly.registry import Registry
from dalikit.data.inputs import Data, Inputs, Prepared
from dalikit.data.labels import Labels
from dalikit.errors import UnfitError, UserError
from dalikit.evaluation import scoring
from dalikit.inference import Model, positive
from dalikit.interfaces import Batch, Dataset, Part, Range, Score
from dalikit.runs import RunDirectory
from dalikit.runs.checkpoints import Which
from dalikit.runs.config import RunConfig
from dalikit.training.restoring import check_tensors


class RunModel(Model):
    """A run read from its directory, with the averaged weights of its last checkpoint, or its best ones.

    Attributes:
        run: the directory.
        config: the resolved configuration.
        step: the iterations that its weights were trained for.
        weights: which they are, "last" or "best".
    """

    def __init__(
        self,
        run: RunDirectory,
        config: RunConfig,
        registry: Registry,
        root: Path | None = None,
        weights: Which = "last",
    ) -> None:
        self.run = run
        check_present(run, registry, ("method", *config.players))
        self.config = checking.check_players(config, registry)
        self.registry = registry
        self.root = root
        self.weights = weights
        self.step, tensors = run.load_averaged(weights)
        method = build.make_method(self.config, run.facts.data.spec, registry, borrow=False)
        try:
            check_tensors(method.state_dict(), tensors)
            method.load_state_dict(tensors)
        except (UnfitError, RuntimeError) as error:
            message = " ".join(str(error).split())[:300]
            raise UserError(f"Run {run.path} is damaged: its weights do not fit: {message}") from None
        data = run.facts.data
        super().__init__(method, Inputs(data.spec, data.fitting, data.standardization, data.float_range))

    @cached_property
    def dataset(self) -> Dataset:
        """The data set it was trained on; where its data are others now, a warning says in what."""
        check_present(self.run, self.registry, ("dataset",))
        config = checking.check_dataset(self.config, self.registry)
        dataset = build.make_dataset(config, self.registry, self.root)
        if said := self.run.tell_other_data(dataset):
            warnings.warn(said, stacklevel=3)
        return dataset

    def batch(self, part: Part = "test", size: int | None = None) -> Batch:
        """The x (N, *X) of one part of its data set, or the first `size` of them, and their labels."""
        batches = list(scoring.data(self.dataset, part, self.method, size))
        labels = [batch.y for batch in batches if batch.y is not None]
        return Batch(torch.cat([batch.x for batch in batches]), torch.cat(labels) if labels else None)

    def data(self, part: Part = "test", size: int | None = None) -> Tensor:
        """The x (N, *X) of `batch`."""
        return self.batch(part, size).x

    def neighbours(
        self,
        x: Data,
        n: int = 9,
        part: Part = "train",
        among: int = 10_000,
        labels: Labels | None = None,
        *,
        value_range: Range | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The data of one part whose codes lie nearest to those of x (B, *X), by Euclidean distance.

        Returns them, (B, n, *X), and the distances of their codes, (B, n), the nearest first.

        Args:
            x: what is asked about.
            n: how many for each.
            part: of the run's data set.
            among: its first data, so many are searched; they are held in memory.
            labels: those of x, where the method is conditional.
            value_range: what floats lie between, as `Inputs.prepare` has it.

        Raises:
            UserError: there are fewer than n to be searched.
        """
        from sklearn.neighbors import NearestNeighbors

        searched, own = self.batch(part, positive("among", among))
        if positive("n", n) > len(searched):
            raise UserError(f"n is {n}, but there are {len(searched)} data to be searched")
        codes = self.code(Prepared(searched), own if self.method.conditional else None)
        search = NearestNeighbors(n_neighbors=n).fit(codes.cpu().numpy())
        asked = self.code(x, labels, value_range=value_range)
        distances, found = search.kneighbors(asked.cpu().numpy())
        return searched[torch.from_numpy(found).to(searched.device)], torch.from_numpy(distances).to(searched)

    def evaluate(
        self,
        metrics: Sequence[str] | Mapping[str, Mapping[str, Any] | None] | None = None,
        part: Part = "test",
        seed: int = 0,
    ) -> tuple[list[Score], dict[str, str]]:
        """The scores on one part of the data set, and why metrics were left out.

        Args:
            metrics: names, or names with parameters; by default the run's own, of which those that cannot be
                computed are left out.
            part: of the data set.
            seed: of what metrics draw.

        Raises:
            UserError: a metric that was asked for by name cannot be computed.
        """
        settings: Mapping[str, Mapping[str, Any] | None] = self.config.metrics
        if metrics is None:
            check_present(self.run, self.registry, ("metric",))
        if isinstance(metrics, Mapping):
            settings = metrics
        elif metrics is not None:
            settings = {name: settings.get(name) or {} for name in metrics}
        wanted = {
            name: params if params is None else checking.parameters_of("metric", name, params, self.registry)
            for name, params in settings.items()
        }
        makers = build.make_metrics(wanted, self.dataset, self.registry, self.root)
        return scoring.score_all(makers, self.method, part, seed, forgiving=metrics is None)


def load(
    run: str | Path,
    device: str = "cpu",
    registry: Registry | None = None,
    data_root: str | Path | None = None,
    weights: Which = "last",
) -> RunModel:
    """Read a trained run.

    Args:
        run: its directory, or its place on the Hugging Face Hub: "hf://user/name", "hf://user/name@revision".
        device: where to compute, e.g. "cuda".
        registry: the components to build it from; by default those of the plugins that it was made with, and
            others once they are asked for.
        data_root: where data sets lie; `DALIKIT_DATA`, else `data` in the current folder, unless given.
        weights: the "last" averaged ones, or the "best" by the validation part (the callback `best`).

    Raises:
        UserError: there is no run, it has no such weights, it is damaged, or it needs a component that is
            not installed.
        RunError: the Hub cannot be reached.
    """
    path = hub.fetch(str(run)) if hub.is_remote(run) else Path(run)
    directory, root = RunDirectory.open(path), None if data_root is None else Path(data_root)
    foretold = directory.foretold(weights)
    known = registry or registry_for(directory)
    if said := tell_updates(directory, known):
        warnings.warn(said, stacklevel=2)
    model = RunModel(directory, directory.config, known, root, weights)
    model.to(find_device(device))
    directory.warn_of_edits()
    if model.step < foretold:
        warnings.warn(
            f"Run {run} was scored at step {foretold}, and its {weights} weights are of step {model.step}: "
            "those of then are gone",
            stacklevel=2,
        )
    return model
