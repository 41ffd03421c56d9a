"""Table 2: modes captured and high-quality samples on the grid of 25 Gaussians; and the samples as pictures.

Source: DALI, table 2; its GAN, ALI, Unrolled GAN and VEEGAN figures are of Srivastava et al. 2017, "VEEGAN".
"""

from dataclasses import replace
from typing import Any

from dalikit.hookspecs import offer
from dalikit.interfaces import Study, StudyColumn, StudyRow

DALIKIT_API = 2

QUICK: dict[str, Any] = {
    "trainer": {"steps": 12_000},
    "callbacks": {"pictures": {"every": 6000}, "evaluation": {"every": 2000}, "checkpoint": {"every": 2000}},
}
"""Ten rows within 40 minutes on two cores; unrolling by five steps takes a quarter of them (26 %)."""

VEEGAN: dict[str, Any] = {
    "generator": {"latent_size": 254, "width": 128, "depth": 2, "x_scale": 1.0},
    "discriminator": {"width": 128, "depth": 1, "head_depth": 1, "x_scale": 1.0},
    "trainer": {
        "steps": 100_000,
        "batch_size": 500,
        "lr": 1e-3,
        "optimizer": {"betas": (0.5, 0.999)},
        "schedule": "constant",
        "roles": {"generator": {"lr": 1e-3}},
        "ema": 0.0,
    },
    "callbacks": {
        "pictures": {"every": 20_000},
        "evaluation": {"every": 5000},
        "checkpoint": {"every": 5000},
    },
}
"""VEEGAN's protocol as far as it is known: layers' sizes, Z, batch, steps, rates, and no averaged weights.

Its discriminator has one hidden layer, which the networks here do not allow: features and head have one each.
"""

GAME: dict[str, Any] = {"game": {"r1": 0.0, "penalty_every": 1}}
"""The logistic game as VEEGAN has it, without the recipe's penalty."""

ENCODER: dict[str, Any] = {"trainer": {"roles": {"encoder": {"lr": 1e-3}}}}

DALI: dict[str, Any] = {**ENCODER, "method": {"lam": 1.0, "lam_schedule": "constant"}}
"""With the paper's λ = 1/d."""


FALLING: dict[str, Any] = {"method": {"lam": 0.2, "lam_schedule": "linear"}}
"""The best fixed λ that was found: a number, as every other row's weights are in the quick budget."""

RATIO = 0.25
"""How hard every row's reconstruction pulls where its weight is balanced: a quarter as hard as its game."""


def _row(
    name: str,
    label: str,
    own: dict[str, Any],
    modes: float | None = None,
    quality: float | None = None,
    weight: str | None = None,
) -> StudyRow:
    """A row with `own` settings in the paper budget; what it reconstructs counts `weight`, if it does."""
    paper = {} if modes is None or quality is None else {"modes": modes, "high quality, %": quality}
    balanced = {} if weight is None else {"method": {weight: "balanced", "ratio": RATIO}}
    quick = FALLING if weight == "lam" else {}
    budgets = {"quick": {"grid25": quick}, "balanced": {"grid25": balanced}, "paper": {"grid25": own}}
    return StudyRow(name, label, name, budgets=budgets, paper={"grid25": paper})


TABLE = Study(
    "table2",
    "modes and high-quality samples of ten systems on the grid of 25 Gaussians",
    "DALI, table 2",
    datasets=("grid25",),
    rows=(
        _row("gan", "GAN", GAME, 3.3, 0.5),
        _row("ali", "ALI", GAME | ENCODER, 15.84, 1.6),
        _row("unrolled", "Unrolled GAN", GAME, 23.6, 16),
        _row("vaegan", "VAEGAN", GAME | ENCODER, 21.4, 34.1, "gamma"),
        _row("veegan", "VEEGAN", GAME | ENCODER, 24.6, 40, "weight"),
        _row("sn-gan", "SN-GAN", GAME, 25, 67.8),
        _row("dali", "DALI", GAME | DALI, 25, 81.1, "lam"),
        _row("dali-f", "DALI-f", DALI, 25, 66.4, "lam"),
        _row("dali-l2", "DALI-l2", GAME | DALI, weight="lam"),
        _row("bigan", "BiGAN", GAME | ENCODER),
    ),
    columns=(
        StudyColumn("modes", "modes", "modes", digits=1),
        StudyColumn("high quality, %", "modes", "high_quality", scale=100, digits=1),
    ),
    budgets={"quick": {"grid25": QUICK}, "balanced": {"grid25": QUICK}, "paper": {"grid25": VEEGAN}},
    notes=(
        "The paper's figures are of VEEGAN's protocol (Z = 254, batch 500, 100,000 steps), and its systems "
        "had networks of their own.",
        "In the quick budget every row has the same small networks, batch and number of generator steps, and "
        "the same rates, betas and R1, but for Unrolled GAN, at 1e-3 for both players and a first beta of "
        "0.5; SN-GAN, with spectral norm on every layer of D in place of R1; DALI-f, whose game has no R1, "
        "and whose gradients are clipped at 1.",
        "In the paper budget every row has VEEGAN's layers, Z, batch, steps and rates, no R1, no scaling of "
        "data and no averaged weights, and DALI the paper's λ. What is left of the difference: D has two "
        "hidden layers where VEEGAN's has one; the encoder of DALI's rows reads D's features; VAEGAN's "
        "and VEEGAN's terms weigh as in the recipes; DALI-f's gradients are clipped at 1.",
        "The balanced budget is the quick one, but that the weights of reconstructions set themselves, by "
        f"one rule for all, with no schedule: they pull at what G gives {RATIO:g} times as hard as the game.",
        "Of true samples 98.9 % are of high quality: more is a sign of collapse.",
        "DALI-l2 and BiGAN are not in the paper's table.",
    ),
)

PICTURES = replace(
    TABLE,
    name="mixture",
    description="samples of table 2's systems on the grid of 25 Gaussians, a picture for each",
    stands_for="DALI, section 4.3; no figure of it",
    pictures=("samples",),
    notes=("2,500 samples in blue over as many of the data in grey.", *TABLE.notes),
)
"""The same runs: with the --out of table 2 nothing is trained again."""


dalikit_components = offer(TABLE, PICTURES)
