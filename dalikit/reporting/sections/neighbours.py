"""The training data that lie nearest to samples: does the generator draw what it was shown?"""

from collections.abc import Sequence
from statistics import median

import numpy as np
import torch
from torch import Tensor

from dalikit.reporting import charts
from dalikit.reporting.blocks import Block, Chart, Charts, Pair, Pairs, Prose
from dalikit.reporting.drawing import Images
from dalikit.reporting.section import Drawn
from dalikit.reporting.use import SEED, Use

ASKED = 128
"""Samples, and held-out data, that neighbours are looked for of."""

SHOWN = 12
"""Samples that are shown beside their neighbours: those that lie nearest."""

AMONG = 10_000
"""Training data that are searched at most."""

BYTES = 1 << 27
"""Of these at most, as 32-bit floats, where that is more than `FEWEST` of them."""

FEWEST = 200

WIDTH = 64
"""Pixels of the page that an image of a pair takes."""


class Neighbours(Drawn):
    """Distances in the space of data, of samples and of held-out data, to the nearest training datum."""

    key, title = "neighbours", "Nearest training data"
    lead = (
        "Is it memorising? Samples are held against the training data, by Euclidean distance of pixels (or "
        "entries), and so are data of the test part. Samples that lie far nearer than held-out data do are "
        "copies; smooth ones lie a little nearer by being smooth."
    )

    def drawn(self, use: Use) -> Sequence[Block]:
        """The distances, and the samples that lie nearest."""
        samples = use.model.sample(ASKED, SEED)
        known = use.data("train", _among(use))
        held_out = use.data("test", ASKED)
        found, nearest = _nearest(samples, known.x)
        others, _ = _nearest(held_out.x, known.x)
        groups = {"samples": found.tolist(), "held-out data": others.tolist()}
        total = len(use.dataset.split("train"))
        alt = f"Distances to the nearest of {len(known.x):,} training data. {_told(groups)}"
        chart = Chart("Distance to the nearest training datum", charts.strips(groups, "distance"), alt)
        searched = f"Searched are {len(known.x):,} of {total:,} training data."
        blocks: list[Block] = [Prose(f"{_told(groups)} {searched}"), Charts("", [chart], large=True)]
        if isinstance(use.drawing, Images):
            told = (
                f"The {SHOWN} samples that lie nearest, each beside the training datum that it lies near to:"
            )
            blocks += [Prose(told), _pairs(use.drawing, samples, known.x, found, nearest)]
        return blocks


def _among(use: Use) -> int:
    size = 4 * int(np.prod(use.model.spec.x_shape))
    return min(AMONG, max(FEWEST, BYTES // size))


def _nearest(asked: Tensor, known: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The distance (n,) of each of `asked` (n, *X) to the nearest of `known` (m, *X), and which that is."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(_flat(known))
    distances, found = search.kneighbors(_flat(asked))
    return distances[:, 0], found[:, 0]


def _flat(x: Tensor) -> np.ndarray:
    return x.detach().flatten(1).to("cpu", torch.float32).numpy()


def _told(groups: dict[str, list[float]]) -> str:
    middle = {name: median(values) for name, values in groups.items()}
    nearer = np.mean(np.array(groups["samples"]) < min(groups["held-out data"]))
    return (
        f"Median distance of samples {middle['samples']:.3g}, of held-out data "
        f"{middle['held-out data']:.3g}; {nearer:.0%} of samples lie nearer than any held-out datum."
    )


def _pairs(
    drawing: Images, samples: Tensor, known: Tensor, distances: np.ndarray, nearest: np.ndarray
) -> Pairs:
    """The samples that lie nearest, beside what they lie near to."""
    return Pairs(
        [
            Pair(
                drawing.single(samples[i], "a sample", WIDTH),
                drawing.single(known[nearest[i]], "the training datum nearest to it", WIDTH),
                f"{distances[i]:.3g} apart",
            )
            for i in np.argsort(distances)[:SHOWN].tolist()
        ]
    )
