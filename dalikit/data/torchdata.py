"""Any torch data set, or any tensor, as a data set to train on and to measure with.

Symbols: N data, X the shape of one.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import IterableDataset, TensorDataset

from dalikit.data import items, prepared
from dalikit.data.values import extent
from dalikit.errors import UnfitError, UserError
from dalikit.functional.ranges import SLACK
from dalikit.interfaces import Batch, Dataset, DataSpec, Part, Range, Shape, Split, Stamp
from dalikit.randomness import RandomState

Source = TorchDataset[Any] | Tensor | Sequence[Any]


class TorchData(Dataset):
    """Parts given as torch data sets of the map style (with a length, read by `[i]`) or as tensors (N, *X).

    An item is a tensor, an array or a PIL picture, or a tuple that begins with one and may go on with a
    label. Images become (C, H, W), as `items.datum` says; all must have the shape of the first. Without a
    test part a tenth of the training data is that, and without a validation part a tenth of what is left,
    both drawn under a fixed seed, for data often lie in order. Transforms that draw from torch's, NumPy's or
    Python's generator repeat under the random state that `take` is given, and leave those as they were.

    Args:
        train: the training part.
        test: the test part, if there is one of its own.
        validation: the validation part, likewise.
        value_range: the least and greatest value of x, or None where it is unbounded. uint8 data are scaled
            into it; floats lie in it already, and are refused where they do not.
        classes: the labels' names; those that the training data name as torchvision's do (`classes`), unless
            given. Labels without names cannot condition a method.
        name: what scores call the data.
        preparation: one sentence for scores: where the data come from, and what was done to them.

    Raises:
        UserError: a part is empty, or has no length, or is too small to be divided; a tensor holds a value
            that is not finite.
        UnfitError: an item is no datum, or not of the first one's shape and type, or not finite, or outside
            the range.
    """

    name = "torch-data"

    def __init__(
        self,
        train: Source,
        test: Source | None = None,
        validation: Source | None = None,
        *,
        value_range: Range | None,
        classes: tuple[str, ...] | None = None,
        name: str | None = None,
        preparation: str | None = None,
    ) -> None:
        if value_range is not None and not value_range[0] < value_range[1]:
            raise UserError(f"value_range is {value_range}; (low, high) is needed, or None")
        if name is not None:
            self.name = name  # type: ignore[misc]  # this object's own: others hold other data
        given = _Items(train, "train", value_range)
        self.spec = DataSpec(given.shape, value_range, classes or given.classes)
        self._splits = _divide(ItemSplit(given), {"test": test, "validation": validation})
        counts = ", ".join(f"{len(split):,} {part}" for part, split in self._splits.items())
        self.preparation = preparation or (
            f"{type(train).__name__} of {len(given.source):,} given in Python: {counts}; a part not given is "
            "a tenth of the training data, drawn under a fixed seed"
        )

    def split(self, part: Part) -> "ItemSplit":
        """The part, whose data are read when they are taken."""
        return self._splits[part]


class ItemSplit(Split):
    """The rows (n,) of a torch data set, or all of them."""

    def __init__(self, given: "_Items", rows: Tensor | None = None) -> None:
        self.given = given
        self.rows = torch.arange(len(given.source)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Tensor, rng: torch.Generator) -> Batch:
        """Raw data (n, *X) at `index`, and labels (n,) where each item has one.

        What transforms draw follows from `index` and the state of `rng`.

        That state is not moved, so that training reads data without transforms in the order in which it
        reads the same data from a tensor.
        """
        state = hashlib.sha256(rng.get_state().numpy().tobytes() + index.numpy().tobytes())
        return self.given.data(self.rows[index].tolist(), int.from_bytes(state.digest()[:4], "little"))

    def stamp(self) -> Stamp:
        """Of a whole tensor, with labels; of another source, which may take long to read, as any split's."""
        source = self.given.source
        if type(source) is not TensorDataset:
            return super().stamp()
        tensors = source.tensors[:2]
        return Stamp.of_data(len(self), lambda index: Batch(*(t[self.rows[index]] for t in tensors)))

    def divided(self, seed: int) -> tuple["ItemSplit", "ItemSplit"]:
        """Nine tenths of the rows and the rest, which is one at least, each in order."""
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        kept = len(self) - max(1, len(self) // 10)
        if not kept:
            raise UserError(f"The train part has {len(self)} left to divide: give the other parts too")
        first, second = (
            ItemSplit(self.given, self.rows[p.sort().values]) for p in (order[:kept], order[kept:])
        )
        return first, second


class _Items:
    """A map-style data set whose data are checked as they are read: alike, finite, and in range."""

    def __init__(
        self, source: Source, part: str, value_range: Range | None, shape: Shape | None = None
    ) -> None:
        self.source, self.part, self.value_range = _map_style(source, part), part, value_range
        first = self._datum(0, self.read([0], 0)[0])
        self.shape, self.dtype = shape or tuple(first.shape), first.dtype
        if value_range is None and first.dtype == torch.uint8:
            raise UnfitError(f"The {part} part is uint8: value_range=(low, high) says what to scale it to")
        if type(self.source) is TensorDataset and first.is_floating_point():  # else each as it is read
            data = self.source.tensors[0]
            step = prepared.rows_at_once(tuple(data.shape), np.dtype(np.float64))
            extent(data.split(step), f"The {part} part")
        self.data([0], 0)

    def read(self, rows: list[int], seed: int) -> list[Any]:
        """The items, all that is random in them drawn from generators seeded with `seed`."""
        with RandomState.seeded(seed).swapped_in():
            if hasattr(self.source, "__getitems__"):  # torch's own loader prefers it too
                return list(self.source.__getitems__(rows))
            return [self.source[row] for row in rows]

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The labels' names, where the data say them."""
        names = getattr(self.source, "classes", None)
        return tuple(map(str, names)) if isinstance(names, list | tuple) and names else None

    def data(self, rows: list[int], seed: int) -> Batch:
        """Raw data (n, *X), and labels (n,) where each item has one."""
        read = self.read(rows, seed)
        data = [self._datum(row, item) for row, item in zip(rows, read, strict=True)]
        for row, x in zip(rows, data, strict=True):
            if tuple(x.shape) != self.shape or x.dtype != self.dtype:
                raise UnfitError(
                    f"Item {row} of the {self.part} part is {x.dtype} {tuple(x.shape)}; the first is "
                    f"{self.dtype} {self.shape}, and all must be: a transform that resizes makes them so"
                )
            if x.is_floating_point() and not bool(x.isfinite().all()):
                raise UnfitError(f"Item {row} of the {self.part} part holds a value that is NaN or infinite")
        labels = [items.label(item) for item in read]
        y = None if None in labels else torch.tensor(labels, dtype=torch.int64)
        return Batch(self._within(torch.stack(data)), y)

    def _datum(self, row: int, item: Any) -> Tensor:
        try:
            return items.datum(item)
        except UnfitError as error:
            raise UnfitError(f"Item {row} of the {self.part} part {error}") from None

    def _within(self, x: Tensor) -> Tensor:
        if self.value_range is not None and x.dtype != torch.uint8:
            low, high = self.value_range
            slack = SLACK * (high - low)
            least, greatest = float(x.min()), float(x.max())
            if least < low - slack or greatest > high + slack:
                raise UnfitError(
                    f"Data of the {self.part} part reach from {least:.3g} to {greatest:.3g}, outside the "
                    f"value_range ({low:g}, {high:g}) that was given"
                )
        return x


def _divide(train: ItemSplit, others: dict[Part, Source | None]) -> dict[Part, ItemSplit]:
    """All three parts, those that were not given taken from the training part."""
    found: dict[Part, ItemSplit] = {}
    for seed, (part, source) in enumerate(others.items()):
        if source is None:
            train, found[part] = train.divided(seed)
        else:
            given = train.given
            found[part] = ItemSplit(_Items(source, part, given.value_range, given.shape))
    return {"train": train, "validation": found["validation"], "test": found["test"]}


def _map_style(source: Any, part: str) -> Any:
    if isinstance(source, Tensor) and source.dim():
        source = TensorDataset(source)
    sized = hasattr(source, "__len__") and hasattr(source, "__getitem__")
    if isinstance(source, IterableDataset | Tensor | dict) or not sized:
        raise UserError(
            f"The {part} part is {type(source).__name__}: a torch data set of the map style, with a length "
            "and read by [i], or a tensor (N, ...) is needed"
        )
    if not len(source):
        raise UserError(f"The {part} part is empty")
    return source
