"""Table 1: reconstruction error, inception score and FID on MNIST and CIFAR-10; CelebA in the same way.

Source: DALI, table 1 and section 4.1; its ALI and ALICE figures are of Li et al. 2017, "ALICE". The paper's
MSE of DALI is on [0, 1], ALICE's code measures on [-1, 1], four times as much: here they have a column each.
"""

from typing import Any

from dalikit.hookspecs import hookimpl
from dalikit.interfaces import Study, StudyColumn, StudyRow

DALIKIT_API = 1

UNIT, SYMMETRIC, SCORE, FID = "MSE on [0,1]", "MSE on [-1,1]", "inception score", "FID"


def _digits(count: int) -> dict[str, Any]:
    return {"fidelity": {"extractor": "digits", "count": count, "splits": 10, "measures": ["isc"]}}


def _inception(count: int) -> dict[str, Any]:
    return {"fidelity": {"extractor": "inception", "count": count, "splits": 10, "measures": ["isc", "fid"]}}


def _callbacks(every: int, evaluated: int | None) -> dict[str, Any]:
    evaluation = None if evaluated is None else {"every": evaluated}
    return {"pictures": {"every": every}, "checkpoint": {"every": every}, "evaluation": evaluation}


def _quick(steps: int, metrics: dict[str, Any], evaluated: int | None = None) -> dict[str, Any]:
    return {"trainer": {"steps": steps}, "metrics": metrics, "callbacks": _callbacks(500, evaluated)}


QUICK = {
    "mnist": _quick(4000, _digits(10_000), 1000),
    # Inception takes a second for twenty images on a processor: few samples, and at the end alone.
    "cifar10": _quick(2000, _inception(2000)),
    "celeba": _quick(1000, _inception(2000)),
}


def _paper(steps: int, metrics: dict[str, Any], first_beta: float) -> dict[str, Any]:
    trainer = {
        "steps": steps,
        "batch_size": 100,
        "lr": 2e-5,
        "betas": (first_beta, 0.999),
        "schedule": "inverse-sqrt",
    }
    return {
        "generator": {"latent_size": 64},
        "trainer": trainer,
        "metrics": metrics,
        "callbacks": _callbacks(5000, 25_000),
    }


PAPER = {
    "mnist": _paper(180_000, _digits(50_000), 0.6),
    "cifar10": _paper(150_000, _inception(50_000), 0.5),
    "celeba": _paper(490_000, _inception(50_000), 0.5),
}
"""300 epochs in batches of 100, as the first author's earlier code trains; λ is the recipe's."""


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the study."""
    rows = (
        StudyRow(
            "dali",
            "DALI",
            "dali",
            paper={
                "mnist": {UNIT: (0.026, 0.018), SCORE: (9.483, 0.020)},
                "cifar10": {UNIT: (0.019, 0.009), SCORE: (6.450, 0.085), FID: 28.4},
            },
        ),
        StudyRow(
            "dali-l2",
            "DALI-l2",
            "dali-l2",
            paper={
                "mnist": {UNIT: (0.028, 0.018), SCORE: (9.331, 0.021)},
                "cifar10": {UNIT: (0.037, 0.017), SCORE: (6.324, 0.056), FID: 29.2},
            },
        ),
        StudyRow(
            "gan",
            "GAN",
            "gan",
            paper={"mnist": {SCORE: (9.464, 0.020)}, "cifar10": {SCORE: (6.287, 0.061), FID: 37.1}},
        ),
        StudyRow(
            "ali",
            "ALI",
            "ali",
            paper={
                "mnist": {SYMMETRIC: (0.480, 0.100), SCORE: (8.749, 0.090)},
                "cifar10": {SYMMETRIC: (0.672, 0.113), SCORE: (5.930, 0.044), FID: 58.9},
            },
        ),
        StudyRow(
            "alice",
            "ALICE",
            "alice",
            paper={
                "mnist": {SYMMETRIC: (0.080, 0.007), SCORE: (9.279, 0.070)},
                "cifar10": {SYMMETRIC: (0.416, 0.202), SCORE: (6.015, 0.028)},
            },
        ),
    )
    return [
        Study(
            "table1",
            "reconstruction and generation on MNIST, CIFAR-10 and CelebA",
            "DALI, table 1",
            datasets=("mnist", "cifar10", "celeba"),
            rows=rows,
            columns=(
                StudyColumn(UNIT, "reconstruction", "mse_01", digits=4, better="lower"),
                StudyColumn(SYMMETRIC, "reconstruction", "mse_pm1", digits=4, better="lower"),
                StudyColumn(SCORE, "fidelity", "isc_mean", digits=3),
                StudyColumn(FID, "fidelity", "fid", digits=1, better="lower"),
            ),
            budgets={"quick": QUICK, "paper": PAPER},
            notes=(
                "The paper's ± is over images or splits, not over seeds.",
                "The paper's MSE of DALI is on [0,1], that of ALI and ALICE on [-1,1], where the same error "
                "is four times as large; on CIFAR-10 its images were most likely enlarged to 64×64.",
                "Inception scores and FID compare with the paper's only with 50,000 samples, as in the paper "
                "budget. MNIST's score is by the digit scorer, which gives real test images about 9.88.",
                "CelebA is not in the paper's table; on MNIST it has no FID.",
            ),
        )
    ]
