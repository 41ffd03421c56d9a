"""A map of codes: test data as points of the plane, those with like codes near each other.

Source: van der Maaten and Hinton 2008, "Visualizing Data using t-SNE", as scikit-learn computes it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dalikit.evaluation import scoring
from dalikit.reporting import charts
from dalikit.reporting.blocks import Block, Chart, Charts, Prose
from dalikit.reporting.drawing import Images
from dalikit.reporting.section import Inferred
from dalikit.reporting.use import SEED, Given, Use

COUNT = 600
"""Data on the map at most."""

FEWEST = 12
"""Data without which there is no map."""

BATCHES = 4
"""Of what goes through the networks together, so many at most, where that is more than `LARGE`."""

LARGE = 200

PERPLEXITY = 30

ENTRIES = 6
"""Entries of a vector that are told of at most."""


class Codes(Inferred):
    """The map."""

    key, title = "codes", "Map of codes"
    lead = (
        "Each point is a datum of the test part, at the place of its code. Hover over it to see the datum. "
        "Colours are labels, which the encoder was never told unless the run is conditional."
    )

    def inferred(self, use: Use) -> Sequence[Block]:
        """One chart."""
        size = scoring.batch_size(use.model.spec.x_shape)
        data = use.data("test", min(COUNT, max(LARGE, BATCHES * size)))
        if len(data.x) < FEWEST:
            return ()
        codes = use.model.code(data.ready, data.labels).cpu()
        places, axes, how = _places(codes)
        told = {"datum": "test datum", **({} if data.y is None else {"label": "label"})}
        told |= {"image": "image"} if isinstance(use.drawing, Images) else {"x1": "values"}
        label = _names(use, data)
        rows = [
            {"x": round(x, 3), "y": round(y, 3), "datum": i, **each}
            for i, ((x, y), each) in enumerate(zip(places.tolist(), _told(use, data), strict=True))
        ]
        chart = Chart(f"{len(rows)} test data", charts.scatter(rows, axes, label, told), _alt(how, label))
        return Prose(how), Charts("", [chart], large=True)


def _places(codes: Tensor) -> tuple[Tensor, tuple[str, str] | None, str]:
    """Places (n, 2) of codes (n, Z), what the axes are, and how the map was made."""
    z = codes.shape[1]
    if z == 1:
        return torch.cat([codes, torch.zeros_like(codes)], 1), ("z1", ""), "Codes have one entry."
    if z == 2:
        return codes, ("z1", "z2"), "Codes have two entries, which are the axes."
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    found = TSNE(perplexity=perplexity, init="pca", random_state=SEED, max_iter=500).fit_transform(
        codes.float().numpy()
    )
    how = (
        f"Codes of {z} entries by t-SNE (perplexity {perplexity:g}): who is near whom means something, how "
        "far groups lie apart does not."
    )
    return torch.from_numpy(found), None, how


def _names(use: Use, data: Given) -> Sequence[str]:
    """The labels' names among the data, in their order."""
    if data.y is None:
        return ()
    return [_name(use, label) for label in sorted(set(data.y.tolist()))]


def _name(use: Use, label: int) -> str:
    classes = use.model.spec.classes or ()
    return classes[label] if label < len(classes) else str(label)


def _told(use: Use, data: Given) -> list[dict[str, Any]]:
    """What is to be seen of each datum."""
    labels = [{} if data.y is None else {"label": _name(use, y)} for y in _list(data)]
    if isinstance(use.drawing, Images):
        shown = [{"image": use.drawing.thumbnail(x)} for x in data.x.cpu()]
    else:
        original = use.model.inputs.original(data.x.cpu()).flatten(1)
        shown = [{"x1": _told_vector(row)} for row in original.tolist()]
    return [{**each, **label} for each, label in zip(shown, labels, strict=True)]


def _list(data: Given) -> list[int]:
    return [0] * len(data.x) if data.y is None else data.y.tolist()


def _told_vector(values: Sequence[float]) -> str:
    """The first entries of a vector.

    Examples:
        >>> _told_vector([1.0, -0.25]), _told_vector([0.5] * 9)
        ('1, -0.25', '0.5, 0.5, 0.5, 0.5, 0.5, 0.5, …')
    """
    told = [f"{value:.4g}" for value in values[:ENTRIES]]
    return ", ".join([*told, *(["…"] if len(values) > ENTRIES else [])])


def _alt(how: str, label: Sequence[str]) -> str:
    coloured = f", coloured by {len(label)} labels" if label else ""
    return f"Scatter plot of the codes of test data{coloured}. {how}"
