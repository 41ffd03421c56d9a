"""A method as an object that samples, infers and reconstructs."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import repeat

import torch
from torch import Tensor
from torch.distributions import Distribution

from dalikit.data.inputs import Data, Inputs
from dalikit.data.labels import Labels, label_indices
from dalikit.errors import UserError
from dalikit.evaluation import scoring
from dalikit.interfaces import DataSpec, Method, Range
from dalikit.randomness import RandomState


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
        y = self.indices(labels, positive("n", n))
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
        z = self._drawn(seed, lambda: posterior.sample((positive("n", n),)))
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
        t = torch.linspace(0, 1, positive("steps", steps), device=self.device)[:, None]
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


def moments(posterior: Distribution) -> dict[str, Tensor]:
    """The posterior's mean and standard deviation (B, Z), as far as it has them: a flow's have no formula."""
    found = {}
    for name in ("mean", "stddev"):
        with suppress(NotImplementedError):
            found[name] = getattr(posterior, name)
    return found


def positive(name: str, n: int) -> int:
    """n itself; raises `UserError` where it is less than 1."""
    if n < 1:
        raise UserError(f"{name} is {n}; it must be at least 1")
    return n
