"""The numbers that data are made of: one that is not finite, or out of range, is learned as any other."""

import math
from collections.abc import Iterable

import numpy as np
from torch import Tensor

from dalikit.errors import UserError
from dalikit.functional.ranges import SLACK
from dalikit.interfaces import Range

SAY_RANGE = "value_range=(0, 1), or --value-range 0 1, says what they lie between, and scales them"


def check_finite(finite: np.ndarray, what: str, start: int = 0) -> None:
    """Raise `UserError` naming the first datum of `what` with a value that is not finite.

    `finite` (n, ...) says of each value of the data from `start` on whether it is.
    """
    if not finite.all():
        index = start + int(finite.reshape(len(finite), -1).all(1).argmin())
        raise UserError(f"{what}: the datum at index {index} holds a value that is NaN or infinite: mend it")


def extent(parts: Iterable[Tensor], what: str) -> tuple[float, float]:
    """The least and the greatest value of data that come part by part; infinities of none.

    Raises:
        UserError: one is not finite; `what` is what they are called.
    """
    least, greatest, start = math.inf, -math.inf, 0
    for rows in parts:
        check_finite(rows.isfinite().numpy(force=True), what, start)
        if rows.numel():
            least, greatest = min(least, float(rows.min())), max(greatest, float(rows.max()))
        start += len(rows)
    return least, greatest


def check_range(least: float, greatest: float, bounds: Range, told: bool) -> None:
    """Raise `UserError` where values do not lie in `bounds`, or seem to be meant for others.

    That is not asked of bounds that the user has `told`.
    """
    (low, high), slack = bounds, SLACK * (bounds[1] - bounds[0]) / 2
    if least > greatest:  # there are none
        return
    if least < low - slack or greatest > high + slack:
        raise UserError(
            f"Data reach from {least:.3g} to {greatest:.3g}, outside [{low:g}, {high:g}]: {SAY_RANGE}"
        )
    if not told and low < 0 <= least:
        raise UserError(
            f"Data have no negative value, and x lies in [{low:g}, {high:g}]: {SAY_RANGE}; "
            f"value_range=({low:g}, {high:g}) takes them as they are"
        )
