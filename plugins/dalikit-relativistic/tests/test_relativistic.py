"""The game against its formulas, and through the command line."""

import json

import pytest
import torch
from dalikit_relativistic import Relativistic

from dalikit.cli.main import main
from dalikit.errors import UnfitError

REAL, FAKE = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.0, 1.0, -0.5])


def test_losses_are_logistic_in_the_difference_of_a_pair():
    game = Relativistic()
    d = torch.log(1 + torch.exp(FAKE - REAL))
    g = torch.log(1 + torch.exp(REAL - FAKE))
    torch.testing.assert_close(game.discriminator_loss(REAL, FAKE), d)
    torch.testing.assert_close(game.generator_loss(FAKE, REAL), g)
    torch.testing.assert_close(game.joint(REAL, FAKE), g)


def test_the_penalty_of_a_quadratic_critic_is_its_squared_slope_at_both_ends():
    real, fake = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 0.0]])
    penalty = Relativistic(gamma=0.7).penalty(lambda x: x.square().sum(1), real, fake)
    torch.testing.assert_close(penalty, torch.tensor([0.7 / 2 * (4 * 5.0 + 4 * 9.0)]))
    assert Relativistic(gamma=0.7).penalised
    assert not Relativistic(gamma=0.0).penalised


def test_pairs_are_needed():
    with pytest.raises(UnfitError, match="6 and 3"):
        Relativistic().discriminator_loss(REAL, torch.cat([FAKE, FAKE]))
    with pytest.raises(UnfitError, match="real logits"):
        Relativistic().generator_loss(FAKE)


def test_it_trains_by_name(tmp_path):
    out = tmp_path / "run"
    words = ["train", "--game", "relativistic", "--dataset", "ring8", "--steps", "3", "--out", str(out)]
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert not exit_.value.code
    plugins = json.loads((out / "run.json").read_text())["plugins"]
    assert "dalikit-relativistic" in {plugin["distribution"] for plugin in plugins}
    assert (out / "checkpoints" / "step-000003" / "averaged.safetensors").exists()
