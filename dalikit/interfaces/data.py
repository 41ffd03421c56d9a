"""Data sets, and their parts with their labels."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, get_args

import torch
from torch import Tensor

from dalikit.errors import UnfitError
from dalikit.functional.ranges import from_uint8
from dalikit.interfaces.derived import Derived
from dalikit.interfaces.kinds import Component, Kind
from dalikit.interfaces.spec import Batch, DataSpec, Part, Range, Standardization
from dalikit.interfaces.stamps import Stamp

if TYPE_CHECKING:
    from dalikit.functional.fitting import Fitting

READ_AT_ONCE = 1000
"""Data that are read together where their labels alone are wanted."""

STAMPED = 1000
"""Data of which a stamp is made where nobody knows what reading one costs."""


def count_labels(y: Tensor, classes: int) -> Tensor:
    """How often each of `classes` labels is among y (n,); raises `UnfitError` where others are."""
    if wrong := [label for label in y.unique().tolist() if not 0 <= label < classes]:
        raise UnfitError(f"a label of the data is {wrong[0]}, which is none of the {classes} classes")
    return torch.bincount(y, minlength=classes)


class Split(ABC):
    """One part of a data set, as raw data that `Dataset.scale` turns into x on the device."""

    @abstractmethod
    def __len__(self) -> int:
        """How many data there are; for an endless source, how many count as one epoch."""

    @abstractmethod
    def take(self, index: Tensor, rng: torch.Generator) -> Batch:
        """Raw data and labels at `index` (n,) int64. What is random in them is drawn from `rng` alone."""

    def class_counts(self, classes: int) -> Tensor:
        """How many data bear each of `classes` labels, (classes,) int64; all are read for it.

        Of an endless source they are in proportion.
        """
        rng, counts = torch.Generator().manual_seed(0), torch.zeros(classes, dtype=torch.int64)
        for index in torch.arange(len(self)).split(READ_AT_ONCE):
            y = self.take(index, rng).y
            counts += 0 if y is None else count_labels(y, classes)
        return counts

    def stamp(self) -> Stamp:
        """What the data are. Unless a part says it itself, `STAMPED` of them are taken and looked at.

        One whose data lie in memory or in a mapped file has `Stamp.of_data` look at all as they lie there,
        before anything is drawn; one that draws all of them afresh says by what (`Stamp.of_source`).
        """

        def read(index: Tensor) -> Batch:
            return self.take(index, torch.Generator().manual_seed(int(index[0])))

        return Stamp.of_data(len(self), read, STAMPED)


class TensorSplit(Split):
    """Data that lie in one tensor (N, *X), as they are, with labels (N,) int64 where they have any."""

    def __init__(self, data: Tensor, labels: Tensor | None = None) -> None:
        self.data = data
        self.labels = labels

    def __len__(self) -> int:
        return len(self.data)

    def take(self, index: Tensor, rng: torch.Generator) -> Batch:
        """Rows `index` (n,) of the tensor."""
        return self._rows(index)

    def stamp(self) -> Stamp:
        """Of the whole tensor, and of all labels."""
        return Stamp.of_data(len(self), self._rows)

    def _rows(self, index: Tensor) -> Batch:
        return Batch(self.data[index], None if self.labels is None else self.labels[index])


class Dataset(Component, ABC):
    """A data set. Its `spec` is known before any data are read; `split` reads them.

    Built as `cls(root)`, root being the folder in which data lie, or as `cls()` where nothing is read there.
    """

    kind = Kind("dataset", supplied=("root",), default="digits")
    spec: DataSpec

    preparation: str
    """One sentence: where the data come from, how they are split and scaled. Stored beside scores.

    It says what is there, counted, and nothing that nobody looked at.
    """

    latent_size: int | None = None
    """Z unless the user sets one; the rules know one for data that say none."""

    train_count: int | None = None
    """How many data there are to train on, where that is known before any are read."""

    backbone: str = "dcgan"
    """The network family unless the user names one."""

    metrics: tuple[str, ...] = ("reconstruction",)
    """The names of the metrics that `dalikit evaluate` computes unless told otherwise."""

    settled: Mapping[str, Derived] = {}
    """Its own parameters that it chose by the data where nobody gave them; a configuration keeps them."""

    suffixes: tuple[str, ...] = ()
    """How paths end that `--data PATH` takes for its parameter `path`; "" is a folder."""

    fitting: "Fitting | None" = None
    """How a picture of any size becomes a datum of this set; None where the set is not made of pictures."""

    standardization: Standardization | None = None
    """Mean and divisor of each column, x = (v - mean) / divisor, of vectors that are centred and scaled."""

    float_range: Range | None = None
    """What the ends of the value range stand for where its raw data are floats that `scale` scales."""

    @abstractmethod
    def split(self, part: Part) -> Split:
        """The training, validation or test part."""

    @cached_property
    def stamp(self) -> Mapping[Part, Stamp]:
        """What the data of each part are, looked at once, when it is first asked for."""
        return {part: self.split(part).stamp() for part in get_args(Part)}

    def introduction(self) -> Sequence[str]:
        """What is trained on and what was done to it, in a line or two for whoever starts a training."""
        counts = " / ".join(f"{len(self.split(part)):,}" for part in ("train", "validation", "test"))
        return (f"{counts} data for training, validation and test",)

    def details(self) -> Mapping[str, str]:
        """What more `dalikit data` shows of the data: lines by their titles."""
        return {}

    def scale(self, raw: Tensor) -> Tensor:
        """Turn raw data (B, *X) into x: uint8 0 to 255 into the value range, floats as they are.

        Raises:
            UnfitError: the data are uint8 and the value range is None.
        """
        if raw.dtype != torch.uint8:
            return raw
        if self.spec.value_range is None:
            raise UnfitError(f"Data set '{self.name}' has uint8 data but no value_range to scale them to")
        return from_uint8(raw, self.spec.value_range)
