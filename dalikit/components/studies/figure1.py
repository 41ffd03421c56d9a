"""Figure 1: test images beside their reconstructions by DALI and by ALI, and what they generate.

Source: DALI, figure 1 and section 4.2.
"""

from typing import Any

from dalikit.hookspecs import hookimpl
from dalikit.interfaces import Study, StudyColumn, StudyRow

DALIKIT_API = 1

DATASETS = ("mnist", "cifar10", "celeba")


def _budget(steps: dict[str, int], every: int, **trainer: Any) -> dict[str, Any]:
    callbacks = {name: {"every": every} for name in ("pictures", "evaluation", "checkpoint")}
    return {
        name: {"trainer": {**trainer, "steps": count}, "callbacks": callbacks}
        for name, count in steps.items()
    }


@hookimpl
def dalikit_components() -> list[object]:
    """Offer the study."""
    return [
        Study(
            "figure1",
            "samples, and test images beside their reconstructions, of DALI and ALI",
            "DALI, figure 1",
            datasets=DATASETS,
            rows=(StudyRow("dali", "DALI", "dali"), StudyRow("ali", "ALI", "ali")),
            columns=(
                StudyColumn("MSE on [0,1]", "reconstruction", "mse_01", digits=4, better="lower"),
                StudyColumn("MSE on [-1,1]", "reconstruction", "mse_pm1", digits=4, better="lower"),
            ),
            budgets={
                "quick": _budget({"mnist": 4000, "cifar10": 2000, "celeba": 2000}, 1000),
                # 300 epochs in batches of 100, as the first author's earlier code of the method trains.
                "paper": _budget(
                    {"mnist": 180_000, "cifar10": 150_000, "celeba": 490_000},
                    10_000,
                    batch_size=100,
                    lr=2e-5,
                    betas=(0.5, 0.999),
                    schedule="inverse-sqrt",
                ),
            },
            pictures=("samples", "reconstructions"),
            notes=("In a grid of reconstructions, odd columns are test images, even ones rebuilt.",),
        )
    ]
