"""The paper's systems by name: what each trains, on the networks and rates of whatever data they are given.

dalikit train --recipe ali --dataset grid25
"""

from typing import Any

from dalikit.hookspecs import offer
from dalikit.interfaces import Recipe

DALIKIT_API = 2

PLAIN = {"name": "gan", "r1": 0.0}
"""The logistic game without the penalty of the data's own recipe: spectral norm stands in its place."""

RELATED = "DALI, sections 1 and 5; in no table of it"
"""Of methods of the paper's related work; two of them train no posterior's spread."""


def _recipe(name: str, description: str, stands_for: str, **settings: Any) -> Recipe:
    return Recipe(name, description, stands_for, settings)


identity = {"name": "identity"}
dalikit_components = offer(
    _recipe(
        "dali", "DALI: the GAN game, a diagonal posterior", "DALI, tables 1 and 2, row DALI", method="dali"
    ),
    _recipe(
        "dali-l2",
        "DALI with a Gaussian posterior of identity covariance",
        "DALI, table 1, row DALI-l2",
        method="dali",
        posterior=identity,
    ),
    _recipe(
        "dali-f",
        "DALI with the f-GAN game of the KL divergence",
        "DALI, table 2, row DALI-f",
        method="dali",
        game="fkl",
        trainer={"clip_value": 1.0},
    ),
    _recipe(
        "dali-wgan",
        "DALI with the Wasserstein game",
        "DALI, section 3.4",
        method="dali",
        game="wgan",
        discriminator={"norm": "none"},  # its penalty is a datum's own, which batch norm would mix
    ),
    _recipe("gan", "a plain GAN on DALI's networks", "DALI, tables 1 and 2, row GAN", method="gan"),
    _recipe(
        "sn-gan",
        "a plain GAN whose discriminator carries spectral norm on every layer, where its network has it",
        "DALI, table 2, row SN-GAN",
        method="gan",
        game=PLAIN,
        discriminator={"norm": "spectral"},
    ),
    _recipe("ali", "adversarially learned inference", "DALI, tables 1 and 2, row ALI", method="ali"),
    _recipe(
        "bigan",
        "ALI with a deterministic encoder",
        "Donahue et al. 2016; DALI, figure 1, beside ALI",
        method={"name": "ali", "deterministic": True},
    ),
    _recipe("alice", "ALI with an explicit cycle on data", "DALI, table 1, row ALICE", method="alice"),
    _recipe(
        "alice-adversarial",
        "ALI with an adversarial cycle on data",
        "DALI, table 1, row ALICE",
        method={"name": "alice", "cycle": "adversarial"},
    ),
    _recipe(
        "veegan",
        "VEEGAN: a reconstructor of codes and a discriminator on pairs",
        "DALI, table 2, row VEEGAN",
        method="veegan",
        game={"name": "gan", "generator_loss": "kl"},
        posterior=identity,
    ),
    _recipe("vaegan", "VAE/GAN", "DALI, table 2, row VAEGAN", method="vaegan"),
    _recipe(
        "unrolled",
        "a GAN unrolled by five steps",
        "DALI, table 2, row Unrolled GAN",
        method="unrolled",
        # With the mixtures' own first beta of 0, or twice the rate, it keeps 8 to 10 of the grid's modes.
        trainer={"lr": 1e-3, "optimizer": {"betas": (0.5, 0.99)}, "roles": {"generator": {"lr": 1e-3}}},
    ),
    _recipe("vae", "a variational autoencoder", "DALI, section 3.3", method="vae"),
    _recipe("aae", "an adversarial autoencoder", RELATED, method="aae"),
    _recipe(
        "age",
        "a generator and an encoder, without a third player",
        RELATED,
        method="age",
        posterior="identity",
    ),
    _recipe("avb", "adversarial variational Bayes", RELATED, method="avb"),
    _recipe("ian", "an introspective adversarial network", RELATED, method="ian"),
    _recipe("infogan", "a GAN that keeps part of z readable", RELATED, method="infogan"),
    _recipe(
        "mdgan",
        "a mode regularised GAN, by manifold and diffusion",
        RELATED,
        method="mdgan",
        posterior="identity",
    ),
)
