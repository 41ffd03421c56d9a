"""DALI on the ring of 8; tests/test_algorithm1.py has its losses written out."""

from ring import check_ring

from dalikit.components.games.gan import GAN
from dalikit.components.methods.dali import DALI


def test_ring_of_8() -> None:
    # Seeds 0, 1 and 2 reached all 8 modes, and 0.66, 0.77 and 0.79 of high quality; chance is 0.15.
    check_ring(DALI, 0.5, trainer={"steps": 1200}, game=GAN(r1=1e-3), lam=0.2, lam_schedule="linear")
