"""λ that sets itself: DALI's iteration with it, written out; the law that it keeps."""

import math
from collections.abc import Iterable

import pytest
import torch
from adam import descend, softplus
from hypothesis import given
from hypothesis import strategies as st
from iteration import adam, check_one_iteration
from players import Points, Z, small
from torch import Tensor

from dalikit.components.methods.dali import DALI
from dalikit.functional.balance import DECAY, EVERY, MOST, Balance
from dalikit.training import Trainer


def length(loss: Tensor, x: Tensor) -> Tensor:
    """The root of the mean over data of their gradients' squared norms, each by itself."""
    (gradient,) = torch.autograd.grad(loss, x, retain_graph=True)
    return torch.stack([g.norm() for g in gradient]).square().mean().sqrt()


def test_an_iteration_weighs_the_nll_by_the_gradients_at_what_was_generated() -> None:
    def restate(mine: DALI, x: Tensor, z: Tensor) -> None:
        fake = mine.generator(z)
        d, head, trunk = mine.discriminator, mine.discriminator.head, mine.discriminator.trunk
        descend((softplus(-d(x)) + softplus(d(fake.detach()))).mean(), adam(d))
        h = trunk(fake)
        game = softplus(-head(h)).mean()
        mean, log_variance = mine.encoder(h)
        terms = (z - mean) ** 2 / torch.exp(log_variance) + log_variance + math.log(2 * math.pi)
        nll = 0.5 * terms.sum(1).mean()
        weight = 0.7 * length(game, fake) / length(nll, fake)
        descend(game + weight.detach() * nll, adam(mine.generator), adam(mine.encoder))

    check_one_iteration(restate, DALI, lam="balanced", ratio=0.7)


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(0.1, 10))
def test_the_weight_does_not_depend_on_how_a_term_is_scaled(term: float, game: float, ratio: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 3, 2, dtype=torch.float64, requires_grad=True)
    balance = Balance("balanced", ratio).double()
    with balance.measuring():
        weight = balance(term * x.square().sum(), game * x.sum(), x)
    # ‖2·term·x_b‖ and ‖game·1‖, root mean squares over the batch
    pulls = 2 * term * x.detach().flatten(1).norm(dim=1).square().mean().sqrt(), game * math.sqrt(6)
    assert float(weight) == pytest.approx(min(MOST, ratio * pulls[1] / float(pulls[0])), rel=1e-9)


def weights_of(terms: Iterable[float], games: Iterable[float]) -> list[float]:
    """The weight after each measurement of a term and a game that pull so hard."""
    balance = Balance("balanced", 1.0).double()
    x = torch.ones(1, 1, dtype=torch.float64, requires_grad=True)
    found = []
    for term, game in zip(terms, games, strict=True):
        with balance.measuring():
            found.append(float(balance(term * x.sum(), game * x.sum(), x)))
    return found


def test_the_terms_running_mean_begins_as_a_plain_one_and_forgets_slowly() -> None:
    falling = [1000.0 / step for step in range(1, 301)]
    logs, mean = [], 0.0
    for step, (pull, weight) in enumerate(zip(falling, weights_of(falling, [1.0] * 300), strict=True), 1):
        logs.append(math.log(pull))
        mean = sum(logs) / step if step <= 100 else DECAY * mean + (1 - DECAY) * logs[-1]
        assert weight == pytest.approx(math.exp(-mean), rel=1e-9)


@given(st.lists(st.floats(0.0, 1e3), min_size=1, max_size=30))
def test_a_game_is_weighed_by_all_of_its_past(games: list[float]) -> None:
    past = math.sqrt(sum(game**2 for game in games) / len(games))
    assert weights_of([1.0] * len(games), games)[-1] == pytest.approx(past, rel=1e-6, abs=1e-12)


def test_no_time_makes_the_game_forgotten() -> None:
    """As one converges: after a hundred measurements as well, where the term's mean begins to forget."""
    games = [1.0 / step for step in range(1, 401)]
    for measured in (50, 100, 150, 400):
        past = math.sqrt(sum(game**2 for game in games[:measured]) / measured)
        assert weights_of([1.0] * measured, games[:measured])[-1] == pytest.approx(past, rel=1e-6)


def test_a_moment_of_a_term_is_neither_followed_nor_remembered() -> None:
    """A posterior that is surprised in twenty measurements pulls a million times as hard meanwhile."""
    terms = [*[1.0] * 200, *[1e6] * 20, *[1.0] * 100]
    found = weights_of(terms, [1.0] * len(terms))
    assert found[199] == pytest.approx(1.0)
    assert max(found[200:220]) == pytest.approx(1e-6)
    assert found[220] > 0.05  # means of squares would be at 2e-6 here, and at 4e-6 a hundred later
    assert found[-1] > 0.3


def test_it_measures_in_every_fourth_iteration_and_keeps_its_weight_in_between() -> None:
    method = small(DALI, lam="balanced")
    counts: list[float] = []
    trainer = Trainer(method, Points(), (), steps=9, batch_size=4)
    trainer.average.update = lambda step: counts.append(float(method.lam.count))
    trainer.fit()
    assert counts == [1 + step // EVERY for step in range(9)]


def test_a_resume_goes_on_with_the_same_weight() -> None:
    def made(steps: int) -> Trainer:
        torch.manual_seed(0)
        return Trainer(
            small(DALI, lam="balanced"), Points(), (), steps=steps, batch_size=4, schedule="constant"
        )

    whole, first, rest = made(7), made(3), made(7)
    whole.fit()
    first.fit()
    rest.load_state(first.state())
    rest.fit()
    assert float(whole.method.lam.count) == 2
    for a, b in zip(whole.method.state_dict().values(), rest.method.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_fixed_weight_has_no_state() -> None:
    assert not [name for name in small(DALI, lam=0.5).state_dict() if name.startswith("lam")]
    assert float(Balance(0.5, 1.0)(torch.ones(()), torch.ones(()), torch.ones(1))) == 0.5


def test_the_weight_is_logged() -> None:
    trainer = Trainer(small(DALI, lam="balanced"), Points(), (), steps=1, batch_size=4)
    trainer.fit()
    term = trainer.losses("test")["generator+encoder/nll weight"]
    usual, game, latest = trainer.method.lam.pulls.tolist()
    assert latest == pytest.approx(math.exp(usual), rel=1e-5)  # of one measurement
    assert term == pytest.approx(math.sqrt(game) / latest / Z, rel=1e-5)


def test_a_term_that_does_not_pull_yet_weighs_one_and_is_not_counted() -> None:
    x = torch.ones(2, 1, requires_grad=True)
    balance = Balance("balanced", 1.0)
    with balance.measuring():
        assert float(balance((0 * x).sum(), x.sum(), x)) == 1.0
        assert float(balance.count) == 0
        assert float(balance((1e-8 * x).sum(), x.sum(), x)) == MOST  # while it hardly pulls
        assert float(balance((2 * x).sum(), (2 * x).sum(), x)) < MOST
