"""What the tests on the ring of 8 measure by: chance, and a check that fails where it should."""

import math

import pytest
from ring import chance, check_ring

from dalikit.components.datasets.mixtures import Ring8
from dalikit.components.methods.gan import PlainGAN

BRIEF = {"steps": 1}


@pytest.mark.parametrize(("sigma", "share"), [(0.01, 0.08), (0.02, 0.15), (0.05, 0.38)])
def test_chance_is_what_the_circle_reaches(sigma: float, share: float) -> None:
    """An arc of 2·2 asin(3σ / 2) around each of the 8 means is near enough."""
    assert 8 * 4 * math.asin(1.5 * sigma) / (2 * math.pi) == pytest.approx(share, abs=0.005)
    assert chance(Ring8(sigma=sigma)) == pytest.approx(share, abs=0.01)


def test_a_generator_that_has_learned_nothing_fails() -> None:
    with pytest.raises(AssertionError, match=r"modes of 8|of high quality"):
        check_ring(PlainGAN, 0.5, trainer=BRIEF)


def test_a_bar_near_chance_is_refused() -> None:
    with pytest.raises(AssertionError, match="says little"):
        check_ring(PlainGAN, 0.18, trainer=BRIEF)
