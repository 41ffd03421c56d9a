"""What codes are worth to those who use them: linear probe, nearest neighbours and clustering on code(x).

Source: DALI, section 1, which promises codes for classification, clustering and retrieval; the probe as in
Donahue et al. 2017, "Adversarial Feature Learning"; NMI and ARI as scikit-learn defines them; precision at k
as in Manning et al. 2008, "Introduction to Information Retrieval", section 8.4.
"""

from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from dalikit.errors import UnfitError
from dalikit.evaluation import scoring
from dalikit.hookspecs import offer
from dalikit.interfaces import Dataset, Method, Metric, Part, Score

DALIKIT_API = 2


class Codes(Metric):
    """Accuracy of a logistic regression and of k nearest neighbours, and k-means' agreement with the labels.

    The classifiers learn from codes of the training part and are scored on the part asked for, whose codes
    alone are clustered into as many clusters as there are labels. `neighbour_precision` is the share of the
    k nearest training codes that have the label of the datum asked about, as in retrieval.

    Args:
        count: data of each part at most, chosen at random but always the same.
        neighbours: k, that vote and are retrieved.
    """

    name = "codes"
    headline = (("probe_accuracy", "higher"),)

    def __init__(
        self,
        dataset: Dataset,
        part: Part = "test",
        /,
        *,
        count: Annotated[int, Field(ge=2, le=1_000_000)] = 10_000,
        neighbours: Annotated[int, Field(ge=1)] = 5,
    ) -> None:
        self.dataset = dataset
        self.count = count
        self.neighbours = neighbours
        self.part = part
        self.codes: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.learned: list[Tensor] = []

    def feed(self, method: Method) -> Iterator[tuple[Tensor, ...]]:
        """Batches of codes (b, Z), labels (b,), and whether they are to be learned from (b,) bool."""
        sources: tuple[tuple[Part, bool], ...] = (("train", True), (self.part, False))
        for source, learned in sources:
            for z, labels in self._encode(method, source):
                yield z, labels, torch.full((len(z),), learned)

    def update(self, *batch: Tensor) -> None:
        """Take in codes, labels and whether to learn from them."""
        for kept, tensor in zip((self.codes, self.labels, self.learned), batch, strict=True):
            kept.append(tensor.cpu())

    def compute(self) -> Score:
        """The scores of the classifiers and of the clustering.

        Raises:
            UnfitError: codes are NaN or infinite, or there are fewer than two labels or data than neighbours.
        """
        import sklearn

        learned = torch.cat(self.learned)
        codes, labels = torch.cat(self.codes).double(), torch.cat(self.labels)
        z, y, z_part, y_part = codes[learned], labels[learned], codes[~learned], labels[~learned]
        classes = len(labels.unique())
        if not codes.isfinite().all():
            raise UnfitError("the method's codes are NaN or infinite")
        if len(y.unique()) < 2 or len(z) < self.neighbours or len(z_part) < classes:
            raise UnfitError(
                f"{len(z)} training codes of {len(y.unique())} labels and {len(z_part)} "
                f"others are too few for {self.neighbours} neighbours and {classes} clusters"
            )
        values = {**_classify(z, y, z_part, y_part, self.neighbours), **_cluster(z_part, y_part, classes)}
        protocol = {
            "dataset": self.dataset.name,
            "part": self.part,
            "count": len(z_part),
            "train_count": len(z),
            "classes": classes,
            "code": "the method's code(x): the posterior's mean, unless its family says otherwise",
            "probe": "logistic regression on standardised codes, C = 1",
            "neighbours": self.neighbours,
            "clustering": "k-means on the part's codes, 10 starts",
            "library": f"scikit-learn {sklearn.__version__}",
        }
        return Score(self.name, values, protocol)

    def unfit(self, method: Method) -> str | None:
        """A method without an encoder has no codes, and codes without labels no accuracy."""
        if not method.infers:
            return f"method '{method.name}' has no encoder to make codes with"
        if method.conditional:
            return "a conditional method's encoder reads the labels that its codes would be measured by"
        if self.part == "train":
            return "it learns from the training part: it is scored on another"
        first, rng = torch.zeros(1, dtype=torch.int64), torch.Generator()
        parts: tuple[Part, ...] = ("train", self.part)
        for part in parts:
            if self.dataset.split(part).take(first, rng).y is None:
                return f"data set '{self.dataset.name}' has no labels of its {part} part to measure codes by"
        return None

    def _encode(self, method: Method, part: Part) -> Iterator[tuple[Tensor, Tensor]]:
        """Codes and labels of `count` data of a part."""
        split, rng = self.dataset.split(part), torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(split), generator=rng)[: self.count]
        for index in chosen.split(scoring.batch_size(self.dataset.spec.x_shape)):
            x, labels = scoring.place(split.take(index, rng), self.dataset, method)
            if labels is None:
                raise UnfitError(f"the {part} part of '{self.dataset.name}' has no labels")
            yield method.code(x), labels


def _classify(z: Tensor, y: Tensor, z_part: Tensor, y_part: Tensor, neighbours: int) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(z.numpy(), y.numpy())
    # Not standardised: dimensions that the encoder leaves unused, nearly constant, are to count for little.
    near = KNeighborsClassifier(neighbours).fit(z.numpy(), y.numpy())
    retrieved = y.numpy()[near.kneighbors(z_part.numpy(), return_distance=False)]
    return {
        "probe_accuracy": float(probe.score(z_part.numpy(), y_part.numpy())),
        "knn_accuracy": float(near.score(z_part.numpy(), y_part.numpy())),
        "neighbour_precision": float((retrieved == y_part.numpy()[:, None]).mean()),
    }


def _cluster(z: Tensor, y: Tensor, classes: int) -> dict[str, float]:
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    clusters = KMeans(classes, n_init=10, random_state=0).fit_predict(z.numpy())
    return {
        "nmi": float(normalized_mutual_info_score(y.numpy(), clusters)),
        "ari": float(adjusted_rand_score(y.numpy(), clusters)),
    }


dalikit_components = offer(Codes)
