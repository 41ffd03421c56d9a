"""Data as pictures: images as grids, points as scatter plots, vectors by their two principal axes.

Symbols: X the shape of a datum.
"""

import base64
import io
from abc import ABC, abstractmethod

import torch
from PIL import Image
from torch import Tensor

from dalikit import pictures
from dalikit.interfaces import Range
from dalikit.reporting.blocks import Picture

THUMBNAIL = 32
"""The longer side of a small picture at most, in pixels."""


class Drawing(ABC):
    """How data of one kind are drawn, and how many of them make a picture.

    Attributes:
        samples: how many are shown of what a generator makes.
        pairs: how many are shown beside their reconstructions.
        rows: of how many data variations, and walks between them, are shown.
        variations: how many of each datum.
        steps: of each walk.
    """

    samples: int
    pairs: int
    rows: int
    variations: int
    steps: int
    of_beside: str
    """What is to be seen in a picture of data and reconstructions, as a caption."""
    of_series: str
    """What is to be seen where something is made of each of some data."""
    of_sheet: str = ""
    """What is to be seen in a sheet, where that is not plain."""

    @abstractmethod
    def sheet(self, x: Tensor, alt: str) -> Picture:
        """Data x (N, *X) in one picture."""

    @abstractmethod
    def beside(self, x: Tensor, again: Tensor, alt: str) -> Picture:
        """Data x (N, *X) and their reconstructions in one picture."""

    @abstractmethod
    def series(self, first: Tensor, rows: Tensor, alt: str) -> Picture:
        """Data `first` (B, *X), and of each what was made of it, `rows` (B, n, *X), in one picture."""


class Images(Drawing):
    """Grey or colour images."""

    samples, pairs, rows, variations, steps = 64, 32, 6, 9, 10
    of_beside = "Each datum is followed by its reconstruction."
    of_series = "The datum itself stands first in each row."

    def __init__(self, value_range: Range) -> None:
        self.value_range = value_range

    def sheet(self, x: Tensor, alt: str) -> Picture:
        """A grid."""
        return self._grid(x, alt)

    def beside(self, x: Tensor, again: Tensor, alt: str) -> Picture:
        """Each datum, followed by its reconstruction."""
        together = torch.stack([x.cpu(), again.cpu()], 1).flatten(0, 1)
        return self._grid(together, alt, 8, self.of_beside)

    def series(self, first: Tensor, rows: Tensor, alt: str) -> Picture:
        """A row for each datum, which comes first."""
        together = torch.cat([first.cpu()[:, None], rows.cpu()], 1)
        return self._grid(together.flatten(0, 1), alt, together.shape[1], self.of_series)

    def _grid(self, x: Tensor, alt: str, columns: int | None = None, caption: str = "") -> Picture:
        return embedded(pictures.grid(x, self.value_range, columns), alt, caption)

    def single(self, x: Tensor, alt: str, shown: int) -> Picture:
        """One image x (C, H, W), `shown` pixels wide."""
        return Picture(data_uri(pictures.single(x, self.value_range)), alt, shown)

    def thumbnail(self, x: Tensor) -> str:
        """One image x (C, H, W) as a small data URI."""
        picture = pictures.single(x, self.value_range)
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        return data_uri(picture)


class Points(Drawing):
    """Points of the plane; others on the two principal axes of the training data."""

    samples, pairs, rows, variations, steps = 2500, 500, 6, 200, 100
    of_beside = "Reconstructions in blue, over the data that they are of in grey."
    of_series = of_sheet = "In blue, over training data in grey."

    def __init__(self, reference: Tensor) -> None:
        self._axes = None if reference[0].numel() == 2 else _principal_axes(reference)
        self.reference = self.flat(reference)
        if self._axes is not None:
            also = " Vectors are drawn on the two principal axes of the training data."
            self.of_beside, self.of_series, self.of_sheet = (
                self.of_beside + also,
                self.of_series + also,
                self.of_sheet + also,
            )

    def flat(self, x: Tensor) -> Tensor:
        """Data x (N, *X) as points (N, 2)."""
        vectors = x.detach().cpu().float().flatten(1)
        if self._axes is None:
            return vectors
        mean, axes = self._axes
        return (vectors - mean) @ axes

    def sheet(self, x: Tensor, alt: str) -> Picture:
        """Points in blue over training data in grey."""
        return embedded(pictures.scatter(self.flat(x), self.reference), alt, self.of_sheet)

    def beside(self, x: Tensor, again: Tensor, alt: str) -> Picture:
        """Reconstructions in blue over the data that they are of."""
        return embedded(pictures.scatter(self.flat(again), self.flat(x)), alt, self.of_beside)

    def series(self, first: Tensor, rows: Tensor, alt: str) -> Picture:
        """What was made of the data, in blue over training data."""
        return self.sheet(rows.flatten(0, 1), alt)


def embedded(picture: Image.Image, alt: str, caption: str = "") -> Picture:
    """A picture as the page has it."""
    return Picture(data_uri(picture), alt, picture.width, caption)


def data_uri(picture: Image.Image) -> str:
    """A picture as a PNG in a data URI."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=picture.width <= THUMBNAIL)
    return png_uri(buffer.getvalue())


def png_uri(content: bytes) -> str:
    """The bytes of a PNG file as a data URI."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def _principal_axes(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (D,) of vectors x (N, *X), and their two principal axes (D, 2), 0 where there are fewer."""
    from sklearn.decomposition import PCA

    vectors = x.detach().cpu().float().flatten(1)
    found = PCA(min(2, *vectors.shape), random_state=0).fit(vectors.numpy())
    axes = torch.zeros(vectors.shape[1], 2)
    axes[:, : len(found.components_)] = torch.from_numpy(found.components_).float().T
    return torch.from_numpy(found.mean_).float(), axes
