"""A trained run as an object that samples, infers and reconstructs."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from dalikit.assembly import build
from dalikit.assembly.registry import Registry
from dalikit.errors import UserError
from dalikit.evaluation import scoring
from dalikit.interfaces import Dataset, Method, Metric, Part, Range, Score, Shape
from dalikit.randomness import RandomState
from dalikit.runs import RunDirectory
from dalikit.runs.config import RunConfig


class Model:
    """A method for use: in eval mode, without gradients, on data x (B, *X) in `value_range`.

    Attributes:
        x_shape: the shape of one datum.
        value_range: the least and greatest value of x, or None where it is unbounded.
        latent_size: Z.
    """

    def __init__(self, method: Method, x_shape: Shape, value_range: Range | None) -> None:
        self.method = method.eval()
        self.x_shape = x_shape
        self.value_range = value_range
        self.latent_size = method.generator.latent_size

    @property
    def device(self) -> torch.device:
        """Where it computes; inputs may lie anywhere, outputs lie here."""
        return scoring.device_of(self.method)

    @torch.no_grad()
    def sample(self, n: int, seed: int | None = None) -> Tensor:
        """Draw x (n, *X) from the generator. A `seed` makes it repeatable, and leaves torch's state alone."""
        batches = partial(scoring.samples, self.method, _count("n", n), self.x_shape)
        return self._drawn(seed, lambda: torch.cat(list(batches())))

    @torch.no_grad()
    def generate(self, z: Tensor) -> Tensor:
        """Map codes z (B, Z) to x (B, *X)."""
        if z.dim() != 2 or z.shape[1] != self.latent_size:
            raise UserError(f"Codes have shape {tuple(z.shape)}, (B, {self.latent_size}) is needed")
        z = z.to(self.device, scoring.dtype_of(self.method))
        return torch.cat([self.method.generate(chunk) for chunk in z.split(self._batch)])

    @torch.no_grad()
    def encode(self, x: Tensor) -> Distribution:
        """The posterior q(z|x) of x (B, *X): batch shape (B,), event shape (Z,)."""
        return self.method.posterior(self._checked(x))

    @torch.no_grad()
    def code(self, x: Tensor) -> Tensor:
        """The code z (B, Z) that stands for x (B, *X) in reconstructions."""
        return torch.cat([self.method.code(chunk) for chunk in self._checked(x).split(self._batch)])

    def reconstruct(self, x: Tensor) -> Tensor:
        """G(code(x)) (B, *X) for x (B, *X)."""
        return self.generate(self.code(x))

    @torch.no_grad()
    def vary(self, x: Tensor, n: int, seed: int | None = None) -> Tensor:
        """Draw n codes from q(z|x) for each x (B, *X), and generate from them: (B, n, *X).

        Source: DALI, section 3.5.
        """
        posterior = self.encode(x)
        z = self._drawn(seed, lambda: posterior.sample((_count("n", n),)))
        return self.generate(z.flatten(0, 1)).unflatten(0, z.shape[:2]).transpose(0, 1)

    def interpolate(self, a: Tensor, b: Tensor, steps: int) -> Tensor:
        """Walk from a to b, both (B, *X), in a straight line between their codes: (B, steps, *X).

        The first and last are the reconstructions of a and b.
        """
        start, end = self.code(a), self.code(b)
        if start.shape != end.shape:
            raise UserError(f"Interpolation needs as many starts as ends, not {len(start)} and {len(end)}")
        t = torch.linspace(0, 1, _count("steps", steps), device=self.device)[:, None]
        z = torch.lerp(start[:, None], end[:, None], t)
        return self.generate(z.flatten(0, 1)).unflatten(0, z.shape[:2])

    def to(self, device: str | torch.device) -> "Model":
        """Move it to a device; returns itself."""
        self.method.to(device)
        return self

    @property
    def _batch(self) -> int:
        """What goes through the networks together: memory is not to grow with what is asked for."""
        return scoring.batch_size(self.x_shape)

    def _drawn(self, seed: int | None, draw: Callable[[], Tensor]) -> Tensor:
        if seed is None:
            return draw()
        with RandomState.seeded(seed).swapped_in():
            return draw()

    def _checked(self, x: Tensor) -> Tensor:
        x = torch.as_tensor(x)
        if tuple(x.shape[1:]) != tuple(self.x_shape):
            raise UserError(
                f"Data have shape {tuple(x.shape)}, (B, {', '.join(map(str, self.x_shape))}) is needed"
            )
        if not x.is_floating_point():
            raise UserError(
                f"Data are {x.dtype}; floats in {self.value_range or 'their own range'} are needed"
            )
        if not x.isfinite().all():
            raise UserError("Data hold values that are NaN or infinite")
        if self.value_range is not None and x.numel():
            low, high = self.value_range
            if x.min() < low - 1e-3 or x.max() > high + 1e-3:
                raise UserError(
                    f"Data reach from {x.min():.3g} to {x.max():.3g}, outside [{low:g}, {high:g}]"
                )
        return x.to(self.device, scoring.dtype_of(self.method))


class RunModel(Model):
    """A run read from its directory, with the averaged weights of its last checkpoint.

    Attributes:
        run: the directory.
        config: the resolved configuration.
        step: the iterations it was trained for.
    """

    def __init__(self, run: RunDirectory, config: RunConfig, registry: Registry) -> None:
        self.run = run
        self.config = config
        self.registry = registry
        data = build.DataShape(run.facts.data.x_shape, run.facts.data.value_range)
        self.step, weights = run.load_averaged()
        method = build.make_method(config, data, registry, borrow=False)
        try:
            method.load_state_dict(weights)
        except RuntimeError as error:
            message = " ".join(str(error).split())[:300]
            raise UserError(f"Run {run.path} is damaged: its weights do not fit: {message}") from None
        super().__init__(method, data.x_shape, data.value_range)

    @cached_property
    def dataset(self) -> Dataset:
        """The data set it was trained on."""
        return build.make_dataset(self.config.dataset, self.registry)

    def data(self, part: Part = "test", size: int | None = None) -> Tensor:
        """The x (N, *X) of one part of its data set, or the first `size` of them."""
        return torch.cat(list(scoring.data(self.dataset, part, self.method, size)))

    def neighbours(
        self, x: Tensor, n: int = 9, part: Part = "train", among: int = 10_000
    ) -> tuple[Tensor, Tensor]:
        """The data of one part whose codes lie nearest to those of x (B, *X), by Euclidean distance.

        Returns them, (B, n, *X), and the distances of their codes, (B, n), the nearest first.

        Args:
            x: what is asked about.
            n: how many for each.
            part: of the run's data set.
            among: its first data, so many are searched; they are held in memory.

        Raises:
            UserError: there are fewer than n to be searched.
        """
        from sklearn.neighbors import NearestNeighbors

        searched = self.data(part, _count("among", among))
        if _count("n", n) > len(searched):
            raise UserError(f"n is {n}, but there are {len(searched)} data to be searched")
        search = NearestNeighbors(n_neighbors=n).fit(self.code(searched).cpu().numpy())
        distances, found = search.kneighbors(self.code(x).cpu().numpy())
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
            UnfitError: a metric that was asked for by name cannot be computed.
        """
        settings: Mapping[str, Mapping[str, Any] | None] = self.config.metrics
        if isinstance(metrics, Mapping):
            settings = metrics
        elif metrics is not None:
            settings = {name: settings.get(name) or {} for name in metrics}
        makers = build.make_metrics(settings, self.dataset, self.registry)
        return scores_of(self.method, makers, part, seed, forgiving=metrics is None)


def scores_of(
    method: Method,
    metrics: Mapping[str, Callable[[], Metric]],
    part: Part = "test",
    seed: int = 0,
    *,
    forgiving: bool = True,
) -> tuple[list[Score], dict[str, str]]:
    """The scores of a method, and why metrics were left out.

    Raises:
        UserError: a metric cannot be computed, and this is not `forgiving`.
    """
    scores, skipped = [], {}
    for name, make in metrics.items():
        try:
            metric = make()
            if (reason := metric.unfit(method)) and forgiving:
                skipped[name] = reason
            else:
                scores.append(scoring.score(metric, method, part, seed))
        except UserError as error:  # weights of another network, too few data: the other scores are kept
            if not forgiving:
                raise
            skipped[name] = str(error)
    return scores, skipped


def load(run: str | Path, device: str = "cpu", registry: Registry | None = None) -> RunModel:
    """Read a trained run.

    Args:
        run: its directory.
        device: where to compute, e.g. "cuda".
        registry: the components to build it from; all installed ones by default.

    Raises:
        UserError: there is no run, it is damaged, or it needs a component that is not installed.
    """
    directory = RunDirectory.open(Path(run))
    model = RunModel(directory, directory.config, registry or Registry.discover())
    model.to(build.device(device))
    return model


def _count(name: str, n: int) -> int:
    if n < 1:
        raise UserError(f"{name} is {n}; it must be at least 1")
    return n
