"""A trained run as an object that samples, infers and reconstructs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from dalikit.assembly import build, resolve
from dalikit.assembly.registry import Registry
from dalikit.data.inputs import Data, Inputs, Prepared
from dalikit.data.labels import Labels, label_indices
from dalikit.errors import UserError
from dalikit.evaluation import scoring
from dalikit.interfaces import Batch, Dataset, DataSpec, Method, Part, Range, Score
from dalikit.randomness import RandomState
from dalikit.runs import RunDirectory
from dalikit.runs.checkpoints import Which
from dalikit.runs.config import RunConfig


class Model:
    """A method for use: in eval mode, without gradients.

    What is to be encoded is x (B, *X) in the data's range, or whatever `Inputs.prepare` makes x of: files of
    any size, folders, PIL pictures, arrays of uint8; it also says what `value_range` is for.

    Where the method is conditional, whatever encodes or decodes takes `labels`, a label for each datum.

    Attributes:
        method: what is used.
        inputs: how what is handed in is prepared.
    """

    def __init__(self, method: Method, inputs: Inputs | None = None) -> None:
        self.method = method.eval()
        self.inputs = inputs or Inputs(method.spec)

    @property
    def spec(self) -> DataSpec:
        """What the data are."""
        return self.method.spec

    @property
    def latent_size(self) -> int:
        """Z."""
        return self.method.latent_size

    @property
    def device(self) -> torch.device:
        """Where it computes; inputs may lie anywhere, outputs lie here."""
        return scoring.device_of(self.method)

    @torch.no_grad()
    def sample(self, n: int, seed: int | None = None, labels: Labels | None = None) -> Tensor:
        """Draw x (n, *X) from the generator. A `seed` makes it repeatable, and leaves torch's state alone.

        A conditional method's labels are as frequent as in training unless given.
        """
        y = self.indices(labels, _positive("n", n))
        return self._drawn(seed, lambda: torch.cat(list(scoring.samples(self.method, n, y))))

    @torch.no_grad()
    def generate(self, z: Tensor, labels: Labels | None = None) -> Tensor:
        """Map codes z (B, Z) to x (B, *X)."""
        if z.dim() != 2 or z.shape[1] != self.latent_size:
            raise UserError(f"Codes have shape {tuple(z.shape)}, (B, {self.latent_size}) is needed")
        return self._by_batches(self.method.generate, z.split(self._size), self.indices(labels, len(z)))

    @torch.no_grad()
    def encode(
        self, x: Data, labels: Labels | None = None, *, value_range: Range | None = None
    ) -> Distribution:
        """The posterior q(z|x) of x (B, *X), at once: batch shape (B,), event shape (Z,)."""
        given = self.inputs.prepare(x, value_range)
        return self.method.posterior(self._placed(given.whole()), self.indices(labels, len(given)))

    @torch.no_grad()
    def code(self, x: Data, labels: Labels | None = None, *, value_range: Range | None = None) -> Tensor:
        """The code z (B, Z) that stands for x (B, *X) in reconstructions; x is read by batches."""
        given = self.inputs.prepare(x, value_range)
        return self._by_batches(self.method.code, given.parts(self._size), self.indices(labels, len(given)))

    def reconstruct(
        self, x: Data, labels: Labels | None = None, *, value_range: Range | None = None
    ) -> Tensor:
        """G(code(x)) (B, *X) for x (B, *X)."""
        return self.generate(self.code(x, labels, value_range=value_range), labels)

    @torch.no_grad()
    def vary(
        self,
        x: Data,
        n: int,
        seed: int | None = None,
        labels: Labels | None = None,
        *,
        value_range: Range | None = None,
    ) -> Tensor:
        """Draw n codes from q(z|x) for each x (B, *X), and generate from them: (B, n, *X).

        Source: DALI, section 3.5.
        """
        posterior = self.encode(x, labels, value_range=value_range)
        z = self._drawn(seed, lambda: posterior.sample((_positive("n", n),)))
        y = self.indices(labels, z.shape[1])
        again = self.generate(z.flatten(0, 1), None if y is None else y.repeat(n))
        return again.unflatten(0, z.shape[:2]).transpose(0, 1)

    def interpolate(
        self,
        a: Data,
        b: Data,
        steps: int,
        labels: Labels | None = None,
        end_labels: Labels | None = None,
        *,
        value_range: Range | None = None,
    ) -> Tensor:
        """Walk from a to b, both (B, *X), in a straight line between their codes: (B, steps, *X).

        The first and last are the reconstructions of a and b. Where the method is conditional `labels` are
        those of a, under which all is generated, b too, and `end_labels` those under which b is encoded.
        """
        start = self.code(a, labels, value_range=value_range)
        end = self.code(b, labels if end_labels is None else end_labels, value_range=value_range)
        if start.shape != end.shape:
            raise UserError(f"Interpolation needs as many starts as ends, not {len(start)} and {len(end)}")
        t = torch.linspace(0, 1, _positive("steps", steps), device=self.device)[:, None]
        z = torch.lerp(start[:, None], end[:, None], t)
        y = self.indices(labels, len(start))
        walk = self.generate(z.flatten(0, 1), None if y is None else y.repeat_interleave(steps))
        return walk.unflatten(0, z.shape[:2])

    def to(self, device: str | torch.device) -> "Model":
        """Move it to a device; returns itself."""
        self.method.to(device)
        return self

    @property
    def _size(self) -> int:
        return scoring.batch_size(self.spec.x_shape)

    def _placed(self, x: Tensor) -> Tensor:
        return x.to(self.device, scoring.dtype_of(self.method))

    def _by_batches(self, call: Callable[..., Tensor], parts: Iterable[Tensor], y: Tensor | None) -> Tensor:
        """In parts of `_size`, for memory is not to grow with what is asked for."""
        labels = repeat(None) if y is None else y.split(self._size)
        return torch.cat([call(self._placed(x), own) for x, own in zip(parts, labels, strict=False)])

    def _drawn(self, seed: int | None, draw: Callable[[], Tensor]) -> Tensor:
        if seed is None:
            return draw()
        with RandomState.seeded(seed).swapped_in():
            return draw()

    def indices(self, labels: Labels | None, n: int) -> Tensor | None:
        """Labels (n,) as indices.

        Raises:
            UserError: the method reads none, one is not there, or there are more or fewer than data.
        """
        if labels is None:
            return None
        if not self.method.conditional:
            raise UserError(f"Method '{self.method.name}' was trained without labels (method.conditional)")
        return label_indices(labels, self.spec.classes or (), n).to(self.device)


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
        self.config = resolve.check_players(config, registry)
        self.registry = registry
        self.root = root
        self.weights = weights
        self.step, tensors = run.load_averaged(weights)
        method = build.make_method(self.config, run.facts.data.spec, registry, borrow=False)
        try:
            method.load_state_dict(tensors)
        except RuntimeError as error:
            message = " ".join(str(error).split())[:300]
            raise UserError(f"Run {run.path} is damaged: its weights do not fit: {message}") from None
        super().__init__(method, run.facts.data.inputs)

    @cached_property
    def dataset(self) -> Dataset:
        """The data set it was trained on."""
        config = resolve.check_dataset(self.config, self.registry)
        return build.make_dataset(config, self.registry, self.root)

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

        searched, own = self.batch(part, _positive("among", among))
        if _positive("n", n) > len(searched):
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
        if isinstance(metrics, Mapping):
            settings = metrics
        elif metrics is not None:
            settings = {name: settings.get(name) or {} for name in metrics}
        wanted = {
            name: params if params is None else resolve.parameters_of("metric", name, params, self.registry)
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
        run: its directory.
        device: where to compute, e.g. "cuda".
        registry: the components to build it from; all installed ones by default.
        data_root: where data sets lie; `DALIKIT_DATA`, else `data` in the current folder, unless given.
        weights: the "last" averaged ones, or the "best" by the validation part (the callback `best`).

    Raises:
        UserError: there is no run, it has no such weights, it is damaged, or it needs a component that is
            not installed.
    """
    directory, root = RunDirectory.open(Path(run)), None if data_root is None else Path(data_root)
    model = RunModel(directory, directory.config, registry or Registry.discover(), root, weights)
    model.to(build.find_device(device))
    return model


def _positive(name: str, n: int) -> int:
    if n < 1:
        raise UserError(f"{name} is {n}; it must be at least 1")
    return n
