"""What holds a critic back: penalties by hand-worked gradients, and weight clipping."""

import pytest
import torch
from players import small
from torch import nn

from dalikit.components.games.gan import GAN
from dalikit.components.games.wgan import WGAN
from dalikit.components.methods.gan import PlainGAN
from dalikit.functional.penalties import gradient_penalty, zero_centred_penalty
from dalikit.interfaces import Batch, Iteration


def quadratic(x):
    """D(x) = ½‖x‖², whose gradient is x."""
    return 0.5 * x.flatten(1).square().sum(1)


def test_zero_centred_penalty_is_half_the_squared_gradient():
    x = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    torch.testing.assert_close(zero_centred_penalty(quadratic, x), torch.tensor([12.5, 0.5]))


def test_gradient_penalty_lies_between_real_and_fake():
    """Of ½‖x‖² it is (‖x̂‖ - 1)²: between 0 at x̂ = fake (norm 1) and 4 at x̂ = real (norm 3)."""
    real, fake = torch.tensor([[3.0, 0.0]]).repeat(500, 1), torch.tensor([[1.0, 0.0]]).repeat(500, 1)
    torch.manual_seed(0)
    norms = gradient_penalty(quadratic, real, fake).sqrt() + 1
    assert norms.min() >= 1 - 1e-3
    assert norms.max() <= 3 + 1e-3
    assert abs(norms.mean() - 2) < 0.1  # the points are uniform
    assert norms.std() > 0.5


def test_a_linear_critic_pays_for_its_slope_alone():
    slope = torch.tensor([[0.6], [0.8]])
    penalty = gradient_penalty(lambda x: (3 * x @ slope).squeeze(1), torch.randn(5, 2), torch.randn(5, 2))
    torch.testing.assert_close(penalty, torch.full((5,), 4.0))


def test_several_fakes_for_one_real_are_averaged():
    """Of ½‖x‖² at x̂ = x = x̃ it is (‖x‖ - 1)²: 0 for the first real, 4 for the second."""
    real = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    fake = torch.cat([real, real])
    torch.testing.assert_close(gradient_penalty(quadratic, real, fake), torch.tensor([0.0, 4.0]))


def test_a_generators_several_fakes_weigh_as_in_the_discriminators_loss():
    from dalikit import objectives

    real, logits = torch.zeros(2, 2), torch.tensor([1.0, 2.0, 3.0, 4.0])
    loss = objectives.generator_loss(WGAN(), quadratic, logits, lambda: real, samples=2)
    torch.testing.assert_close(loss, torch.tensor(-(1 + 2 + 3 + 4) / 2))


def test_a_flat_critic_has_a_finite_gradient():
    scale = torch.zeros((), requires_grad=True)
    x = torch.randn(4, 1, 3, 3)
    gradient_penalty(lambda x: scale * x.flatten(1).sum(1), x, -x).sum().backward()
    assert scale.grad.isfinite()


def test_penalties_work_on_images_and_leave_their_inputs_alone():
    x = torch.randn(3, 2, 4, 4)
    before = x.clone()
    torch.testing.assert_close(zero_centred_penalty(quadratic, x), 0.5 * x.flatten(1).square().sum(1))
    assert torch.equal(x, before)
    assert not x.requires_grad


def test_wgan_weighs_its_penalty_and_takes_none_when_clipping():
    x = torch.full((2, 2), 2.0)
    expected = 3 * (x.norm(dim=1) - 1) ** 2
    torch.testing.assert_close(WGAN(weight=3.0).penalty(quadratic, x, x), expected)
    assert WGAN(weight=3.0).penalised
    assert not WGAN(lipschitz="clip").penalised


def test_clipping_bounds_every_weight_and_moves_no_other():
    network = nn.Linear(2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.5, -0.001]]))
        network.bias.fill_(-7.0)
    WGAN(lipschitz="clip", clip=0.02).project(network)
    torch.testing.assert_close(network.weight, torch.tensor([[0.02, -0.001]]))
    torch.testing.assert_close(network.bias, torch.tensor([-0.02]))
    WGAN().project(nn.Linear(2, 1))


def test_gan_has_an_r1_penalty_on_real_data_if_asked():
    real, fake = torch.tensor([[3.0, 4.0]]), torch.tensor([[100.0, 0.0]])
    assert GAN(r1=2.0).penalised
    torch.testing.assert_close(GAN(r1=2.0).penalty(quadratic, real, fake), torch.tensor([25.0]))
    assert not GAN(r1=0.0).penalised


@pytest.mark.parametrize(
    ("game", "due"),
    [
        (GAN(r1=1.0, penalty_every=3), [True, False, False, True]),
        (WGAN(), [True] * 4),
        (WGAN(lipschitz="clip"), [False] * 4),
        (GAN(), [False] * 4),
    ],
)
def test_whether_a_penalty_is_due_is_known_before_an_iteration_runs(game, due):
    phase, _ = small(PlainGAN, game=game).phases()
    assert [phase.due(step) is phase.penalised for step in range(4)] == due
    method, x = small(PlainGAN, game=game), torch.randn(4, 2)
    terms = method.phases()[0].due(0)(Iteration(method.generate, Batch(x), method.prior(4))).terms
    assert ("penalty" in terms) == due[0]
