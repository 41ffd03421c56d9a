"""What is handed to a trained model, prepared as training prepared its data.

Symbols: B data, X the shape of one.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dalikit.data import items, prepared
from dalikit.data.arrayfiles import SUFFIXES
from dalikit.data.reading import Picture, as_list, counted, done, joined, read_arrays, read_pictures
from dalikit.data.values import check_range, extent
from dalikit.errors import UserError
from dalikit.functional.fitting import Fitting
from dalikit.functional.ranges import from_uint8, rescale
from dalikit.interfaces import DataSpec, Range, Standardization

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Prepared:
    """Data that become x (B, *X) part by part, so that memory does not grow with their number.

    Attributes:
        rows: what they are made from, cut by slices.
        make: makes x of some rows.
        told: what is done to them, in one line.
        names: the files that they come from, if from files.
    """

    rows: Any
    make: Callable[[Any], Tensor] = torch.as_tensor
    told: str = ""
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def parts(self, size: int) -> Iterator[Tensor]:
        """x by `size` at a time; one part of none where there are none."""
        for start in range(0, max(1, len(self)), size):
            yield self.make(self.rows[start : start + size])

    def whole(self) -> Tensor:
        """x (B, *X) at once."""
        return self.make(self.rows[:])


Data = Tensor | np.ndarray | Picture | Sequence[Any] | Prepared
"""Pictures, files and folders of them, one or several; arrays and tensors; an .npy or .npz file."""


@dataclass(frozen=True)
class Inputs:
    """How what is handed in becomes x, for a run on data of `spec`.

    Attributes:
        spec: what the data are.
        fitting: how training fitted pictures; cropped to the data's own size unless told.
        standardization: what training subtracted from vectors, and divided them by.
        float_range: what the ends of the value range stood for where training read floats.
    """

    spec: DataSpec
    fitting: Fitting | None = None
    standardization: Standardization | None = None
    float_range: Range | None = None

    def prepare(self, data: Data, value_range: Range | None = None) -> Prepared:
        """The data, ready to become x.

        Pictures, and images of uint8, may be of any size: they are fitted as the training data were. An array
        or tensor of these is (N, H, W, C) or (N, C, H, W) or (N, H, W), or one image: (H, W), (H, W, C), and
        (3, H, W) in a run in colour. Floats are x (B, *X) already; in an array or a file the channels may be
        last, and in a file they lie where training's did. Vectors in an array or a file are standardized as
        training's were; a tensor is x. A list of arrays or of numbers is an array, one of tensors a tensor.

        Args:
            data: what is handed in; what is prepared stays as it is.
            value_range: what floats lie between, where that is not the data's own range: they are scaled.

        Raises:
            UserError: they cannot be had as x, or are floats without a negative value, which could be meant
                for [0, 1] where x has negatives; or `value_range` is given for what are no floats.
        """
        if isinstance(data, Prepared):
            return data
        if value_range is not None and not -math.inf < value_range[0] < value_range[1] < math.inf:
            raise UserError(f"value_range is {value_range}; two numbers, the lesser first, are needed")
        if isinstance(data, Tensor | np.ndarray):
            return self._array(data, value_range, None, "")
        several = [data] if isinstance(data, str | Path | Image.Image) else as_list(data)
        files = [Path(d) for d in several if isinstance(d, str | Path) and Path(d).suffix.lower() in SUFFIXES]
        if files and len(several) > 1:
            raise UserError(f"{files[0]} holds arrays: hand it in alone")
        if files:
            return self._array(read_arrays(files[0]), value_range, self.float_range, f" of {files[0]}")
        if several and all(isinstance(d, str | Path | Image.Image) for d in several):
            fitting = self._fitting()
            _no_range(value_range)
            rows, names, told = read_pictures(several, fitting)
            return Prepared(rows, self._scaled, told, names)
        return self._array(joined(several), value_range, None, "")

    def original(self, x: Tensor) -> Tensor:
        """x (B, *X) as the data came: standardized vectors in their own units again, others as they are."""
        if self.standardization is None:
            return x
        mean, divisor = (torch.tensor(row, dtype=x.dtype, device=x.device) for row in self.standardization)
        return x * divisor + mean

    @property
    def pictures(self) -> Fitting | None:
        """How pictures are fitted; None where the data are none."""
        shape = self.spec.x_shape
        if self.fitting is not None:
            return self.fitting
        if len(shape) != 3 or shape[0] not in (1, 3) or self.spec.value_range is None:
            return None
        return Fitting(height=shape[1], width=shape[2], channels=3 if shape[0] == 3 else 1)

    def _fitting(self) -> Fitting:
        if self.pictures is None:
            raise UserError(f"This run's data have shape {self.spec.x_shape}: they are no images")
        return self.pictures

    def _scaled(self, rows: np.ndarray) -> Tensor:
        """x of fitted pictures (n, H, W) or (n, H, W, 3)."""
        x = torch.from_numpy(rows)
        return from_uint8(x[:, None] if x.dim() == 3 else x.permute(0, 3, 1, 2), self._bounds)

    @property
    def _bounds(self) -> Range:
        assert self.spec.value_range is not None  # asked for of images alone
        return self.spec.value_range

    def _array(
        self, data: Tensor | np.ndarray, given: Range | None, own: Range | None, source: str
    ) -> Prepared:
        """Images or vectors as numbers; `own` is the range of floats unless another is `given`."""
        if self.spec.value_range is None:
            if given is not None:
                raise UserError("value_range means nothing here: this run's data have none")
            return self._vectors(data, source)
        if str(data.dtype).removeprefix("torch.") == "uint8":
            _no_range(given)
            return self._images(data, source)
        _check_floats(data, f"uint8 or floats in {self._bounds}")
        self._check_shape(data)
        bounds = given or own or self._bounds
        check_range(*self._extent(data, source), bounds, told=bounds in (given, own))
        told = "" if bounds == self._bounds else f", scaled from [{bounds[0]:g}, {bounds[1]:g}]"

        def make(rows: Tensor | np.ndarray) -> Tensor:
            return rescale(self._laid_out(rows), bounds, self._bounds)

        return Prepared(data, make, f"{counted(len(data), 'image')}{source}{told}")

    def _vectors(self, data: Tensor | np.ndarray, source: str) -> Prepared:
        raw = isinstance(data, np.ndarray)
        if not (isinstance(data, np.ndarray) and data.dtype.kind in "iu"):
            _check_floats(data, "numbers" if raw else "floats")
        self._check_shape(data)
        self._extent(data, source)
        told = f"{counted(len(data), 'vector')}{source}"
        if self.standardization is None or not raw:
            return Prepared(data, self._laid_out, told)
        mean, divisor = (torch.tensor(row, dtype=torch.float64) for row in self.standardization)

        def make(rows: np.ndarray) -> Tensor:  # in 64 bits, as training does
            return ((self._laid_out(rows) - mean) / divisor).float()

        return Prepared(data, make, f"{told}, standardized as in training")

    def _images(self, data: Tensor | np.ndarray, source: str) -> Prepared:
        """Images of uint8, fitted where they are of another size."""
        shape, x_shape = tuple(data.shape), tuple(self.spec.x_shape)
        alone = len(shape) == 3 and (shape[2] in items.CHANNELS or shape[0] == x_shape[0] == 3)
        alone = alone and (1, *shape[1:]) != x_shape  # which are grey images, however narrow
        rows = data[None] if len(shape) == 2 or alone else data
        one = tuple(self._laid_out(rows[:1]).shape[1:])
        if len(one) != 3 or 0 in one or (one != x_shape and one[0] not in MODES):
            raise UserError(f"Images of shape {shape}: (N, H, W), (N, H, W, C) or (N, C, H, W) is needed")
        told = f"{counted(len(rows), 'image')}{source}"
        if one == x_shape:
            return Prepared(rows, lambda part: from_uint8(self._laid_out(part), self._bounds), told)
        fitting = self._fitting()

        def make(part: Tensor | np.ndarray) -> Tensor:
            pictures = map(_picture, self._laid_out(part))
            fitted = [fitting.apply(picture) for picture in pictures]
            return self._scaled(np.stack(fitted) if fitted else np.empty((0, *fitting.shape), np.uint8))

        return Prepared(rows, make, f"{told}, {done(fitting, [(one[2], one[1])])}")

    def _laid_out(self, rows: Tensor | np.ndarray) -> Tensor:
        """Rows as a tensor; images with their channels first, where they are recognised by 1, 3 or 4."""
        x = rows if isinstance(rows, Tensor) else _from_numpy(rows)
        images = x.dtype == torch.uint8 or isinstance(rows, np.ndarray)
        if tuple(x.shape[1:]) == tuple(self.spec.x_shape) or not images or len(self.spec.x_shape) != 3:
            return x
        if x.dim() == 3:
            return x[:, None]
        known = {*items.CHANNELS, self.spec.x_shape[0]}
        return x.movedim(-1, 1) if x.dim() == 4 and x.shape[-1] in known else x

    def _check_shape(self, data: Tensor | np.ndarray) -> None:
        if not data.shape or tuple(self._laid_out(data[:1]).shape[1:]) != tuple(self.spec.x_shape):
            wanted = ", ".join(map(str, self.spec.x_shape))
            raise UserError(f"Data have shape {tuple(data.shape)}, (B, {wanted}) is needed")

    def _extent(self, data: Tensor | np.ndarray, source: str) -> tuple[float, float]:
        """The least and the greatest value of all, part by part, for one tells nothing of the range."""
        step = prepared.rows_at_once(tuple(data.shape), _WIDEST)
        return extent(Prepared(data, self._laid_out).parts(step), f"Data{source}")


_WIDEST = np.dtype(np.float64)


def _no_range(given: Range | None) -> None:
    if given is not None:
        raise UserError("value_range is for floats: pictures and uint8 reach from 0 to 255; leave it out")


def _check_floats(data: Tensor | np.ndarray, wanted: str) -> None:
    kind = data.dtype
    floats = (
        kind.is_floating_point if isinstance(kind, torch.dtype) else kind.kind == "f" and kind.itemsize <= 8
    )
    if not floats:
        raise UserError(f"Data are {kind}; {wanted} are needed (of 64 bits at most)")


def _from_numpy(rows: np.ndarray) -> Tensor:
    """A copy, for neither other byte orders nor strides nor read-only memory are torch's affair."""
    plain = np.dtype(np.float64) if rows.dtype.kind == "i" else rows.dtype.newbyteorder("=")
    return torch.from_numpy(np.array(rows, dtype=plain, order="C"))


def _picture(row: Tensor) -> Image.Image:
    """A uint8 image (C, H, W) as a picture."""
    planes = row.permute(1, 2, 0).numpy(force=True)
    return Image.fromarray(planes[..., 0] if len(row) == 1 else np.ascontiguousarray(planes))
